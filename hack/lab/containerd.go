// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"text/template"
)

//go:embed containerd.toml.tmpl
var containerdTemplate string

//go:embed cni.conflist.tmpl
var cniTemplate string

// containerdConfig is what the template of containerd's configuration needs.
type containerdConfig struct {
	Root, State, Socket   string
	PauseImage            string
	DiscardUnpackedLayers bool
	HostsDir              string // one folder for each host, with a hosts.toml
	CNIBin, CNIConf       string
}

// cniConfig is what the template of the network's configuration needs.
type cniConfig struct {
	Subnet  string
	DataDir string
}

// containerdSocket is where the containerd of the node in folder listens.
func containerdSocket(folder string) string { return filepath.Join(folder, "containerd.sock") }

// containerdState is where it keeps what runs.
func containerdState(folder string) string { return filepath.Join(folder, "containerd") }

// render fills in one of the templates.
func render(name, text string, values any) ([]byte, error) {
	t, err := template.New(name).Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, values); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// hostsFile sends everything for RegistryHost to the lab's registry.
func hostsFile(registryAddress string) []byte {
	url := "http://" + registryAddress
	return fmt.Appendf(nil, "server = %q\n\n[host.%q]\n  capabilities = [\"pull\", \"resolve\"]\n", url, url)
}

// writeContainerdConfig writes everything the node's containerd reads and returns the path of its configuration.
func (n *Node) writeContainerdConfig() (string, error) {
	plugins, err := cniPlugins()
	if err != nil {
		return "", err
	}
	conf := filepath.Join(n.state.Folder, "cni")
	hosts := filepath.Join(n.state.Folder, "hosts")
	config, err := render("containerd.toml", containerdTemplate, containerdConfig{
		Root: filepath.Join(n.ImageDir, "containerd"), State: containerdState(n.state.Folder), Socket: containerdSocket(n.state.Folder),
		PauseImage: RegistryHost + "/" + pauseImage, DiscardUnpackedLayers: n.options.DiscardUnpackedLayers,
		HostsDir: hosts, CNIBin: plugins, CNIConf: conf,
	})
	if err != nil {
		return "", err
	}
	network, err := render("cni.conflist", cniTemplate, cniConfig{
		Subnet: fmt.Sprintf("10.88.%d.0/24", n.index), DataDir: filepath.Join(n.state.Folder, "cni-data"),
	})
	if err != nil {
		return "", err
	}
	path := filepath.Join(n.dir, "containerd.toml")
	return path, writeFiles(map[string][]byte{
		path:                                   config,
		filepath.Join(conf, "10-lab.conflist"): network,
		filepath.Join(hosts, RegistryHost, "hosts.toml"): hostsFile(n.registry),
	})
}

// writeFiles writes files and makes their folders.
func writeFiles(files map[string][]byte) error {
	for path, content := range files {
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}
