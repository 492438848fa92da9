// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"
	"path/filepath"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// writeKubeconfig writes a kubeconfig for one user. Certificates are in the file itself, so it can be copied.
func writeKubeconfig(path, host, caFile, user string, pair keyPair) error {
	config := clientcmdapi.NewConfig()
	config.Clusters["lab"] = &clientcmdapi.Cluster{Server: host, CertificateAuthority: caFile}
	config.AuthInfos[user] = &clientcmdapi.AuthInfo{ClientCertificate: pair.cert, ClientKey: pair.key}
	config.Contexts["lab"] = &clientcmdapi.Context{Cluster: "lab", AuthInfo: user, Namespace: "default"}
	config.CurrentContext = "lab"
	if err := clientcmdapi.FlattenConfig(config); err != nil {
		return fmt.Errorf("kubeconfig of %q: %w", user, err)
	}
	return clientcmd.WriteToFile(*config, path)
}

// kubeconfigFor makes a client certificate for user in groups and writes a kubeconfig with it.
func (c *ControlPlane) kubeconfigFor(file, user string, groups ...string) (string, error) {
	pair, err := c.authority.client("client-"+file, user, groups...)
	if err != nil {
		return "", fmt.Errorf("certificate of %q: %w", user, err)
	}
	path := filepath.Join(c.Dir, file)
	return path, writeKubeconfig(path, c.Host, c.CAFile, user, pair)
}

// UserKubeconfig writes a kubeconfig for a user that has no rights but those of its groups and of what a test grants it. It
// returns the file's path. The same user asked for twice is written twice, the last one counts.
func (c *ControlPlane) UserKubeconfig(user string, groups ...string) (string, error) {
	return c.kubeconfigFor(fileName(user)+".kubeconfig", user, groups...)
}

// fileName makes a name of a user one of a file.
func fileName(user string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return '-'
	}, user)
}
