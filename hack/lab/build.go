// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

const (
	kubernetesVersion = "v1.37.2"
	containerdVersion = "v2.4.2"
)

// program is one executable that is built from a Go package.
type program struct {
	name string // of the executable
	pkg  string // import path of its main package
}

// programs are built together, from one module, into one folder.
type programs struct {
	what    string   // for progress lines
	module  string   // the module's folder below this package
	ldflags string   // passed to the linker
	env     []string // added to the environment of go build
	list    []program
}

// controlPlanePrograms is what [BuildControlPlane] builds.
func controlPlanePrograms() programs {
	version := "-X k8s.io/component-base/version."
	return programs{
		what:   "Kubernetes " + kubernetesVersion + " and etcd",
		module: "build/kubernetes",
		ldflags: "-s -w " + version + "gitVersion=" + kubernetesVersion + " " + version + "gitMajor=1 " +
			version + "gitMinor=37",
		list: []program{
			{"etcd", "go.etcd.io/etcd/server/v3"},
			{"kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"},
			{"kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"},
			{"kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"},
			{"kubectl", "k8s.io/kubernetes/cmd/kubectl"},
		},
	}
}

func kubeletPrograms() programs {
	p := controlPlanePrograms()
	p.what = "the kubelet " + kubernetesVersion
	p.list = []program{{"kubelet", "k8s.io/kubernetes/cmd/kubelet"}}
	return p
}

func containerdPrograms() programs {
	return programs{
		what:    "containerd " + containerdVersion,
		module:  "build/containerd",
		ldflags: "-s -w -X github.com/containerd/containerd/v2/version.Version=" + containerdVersion,
		list: []program{
			{"containerd", "github.com/containerd/containerd/v2/cmd/containerd"},
			{"containerd-shim-runc-v2", "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2"},
		},
	}
}

// pausePrograms is the program every test image starts; it has no C in it, since the images hold nothing else.
func pausePrograms() programs {
	return programs{
		what: "the pause program", module: "pause", ldflags: "-s -w", env: []string{"CGO_ENABLED=0"},
		list: []program{{"pause", "."}},
	}
}

// BuildControlPlane builds etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kubectl where they are missing and
// returns the folder they are in. What it does, and how long that takes, goes to out. A folder named by KUBEBUILDER_ASSETS is
// used instead where it holds all five. The first build takes minutes; its result is kept below the user's cache folder.
func BuildControlPlane(ctx context.Context, out io.Writer) (string, error) {
	p := controlPlanePrograms()
	if assets := os.Getenv("KUBEBUILDER_ASSETS"); assets != "" && p.missing(assets) == "" {
		return assets, nil
	}
	return p.build(ctx, out)
}

// BuildNode builds kubelet, containerd, containerd-shim-runc-v2 and the pause program where they are missing and returns the
// folder with links to all of them.
func BuildNode(ctx context.Context, out io.Writer) (string, error) {
	sum := sha256.New()
	var dirs []string
	for _, p := range []programs{kubeletPrograms(), containerdPrograms(), pausePrograms()} {
		dir, err := p.build(ctx, out)
		if err != nil {
			return "", err
		}
		for _, prog := range p.list {
			dirs = append(dirs, filepath.Join(dir, prog.name))
		}
		sum.Write([]byte(dir))
	}
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(cache, "node-"+hex.EncodeToString(sum.Sum(nil))[:16])
	if err := os.MkdirAll(bin, 0o750); err != nil {
		return "", err
	}
	for _, file := range dirs {
		link := filepath.Join(bin, filepath.Base(file))
		if err := os.Symlink(file, link); err != nil && !errors.Is(err, os.ErrExist) {
			return "", err
		}
	}
	return bin, nil
}

// buildPause returns the path of the pause program.
func buildPause(ctx context.Context, out io.Writer) (string, error) {
	dir, err := pausePrograms().build(ctx, out)
	return filepath.Join(dir, "pause"), err
}

// missing names the first program that dir does not hold, or nothing.
func (p programs) missing(dir string) string {
	for _, prog := range p.list {
		if _, err := exec.LookPath(filepath.Join(dir, prog.name)); err != nil {
			return prog.name
		}
	}
	return ""
}

// build returns the folder that holds the programs, having built what it lacks. Two processes that build the same at once wait
// for one another.
func (p programs) build(ctx context.Context, out io.Writer) (string, error) {
	source, err := sourceDir(ctx)
	if err != nil {
		return "", err
	}
	module := filepath.Join(source, p.module)
	dir, err := p.dir(ctx, module)
	if err != nil {
		return "", err
	}
	if p.missing(dir) == "" {
		return dir, nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", err
	}
	unlock, err := lockFile(ctx, dir+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if p.missing(dir) == "" {
		return dir, nil
	}
	start := time.Now()
	say(out, "building %s from source (minutes the first time, then kept in %s)\n", p.what, dir)
	for _, prog := range p.list {
		if err := p.goBuild(ctx, out, module, dir, prog); err != nil {
			return "", err
		}
	}
	say(out, "built %s in %s\n", p.what, time.Since(start).Round(time.Second))
	return dir, nil
}

// dir is where the programs are kept: a folder named after everything that decides what comes out of the build.
func (p programs) dir(ctx context.Context, module string) (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	version, err := goCommand(ctx, module, "env", "GOVERSION").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOVERSION: %w; the lab builds Kubernetes from source and needs Go on the PATH", err)
	}
	sum := sha256.New()
	sum.Write(fmt.Appendln(nil, string(version), p.ldflags, p.env, runtime.GOARCH))
	files := []string{"go.mod", "go.sum"}
	if p.module == "pause" {
		files = []string{"main.go"}
	}
	for _, name := range files {
		content, err := os.ReadFile(filepath.Join(module, name))
		if err != nil {
			return "", err
		}
		sum.Write(content)
	}
	name := strings.ReplaceAll(p.module, "/", "-")
	return filepath.Join(cache, strings.TrimPrefix(name, "build-")+"-"+hex.EncodeToString(sum.Sum(nil))[:16]), nil
}

// cacheDir is the folder everything the lab keeps between runs is in.
func cacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder to keep built programs in: %w", err)
	}
	return filepath.Join(dir, "headroom", "lab"), nil
}
