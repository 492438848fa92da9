// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// nodesFolder is where nodes keep their disks and what runs on them: a short path, since sockets are in it, whose names may not
// be long, and one that survives the removal of a test's temporary folder.
const nodesFolder = "/var/lib/headroom-lab"

// NodeOptions say what node to start. What is zero gets a default that suits tests.
type NodeOptions struct {
	Name string // required, unique in the control plane; a DNS label
	// DiskBytes is the size of the image file system, 2 GiB by default. About 6 % of it is never available.
	DiskBytes int64
	// DiscardUnpackedLayers has containerd drop a layer's compressed form once it is unpacked.
	DiscardUnpackedLayers bool
	// EvictionHard overrides single signals; the default is imagefs.available 15 % and lines that nothing else crosses.
	EvictionHard map[string]string
	// EvictionSoft needs an EvictionSoftGracePeriod for each of its signals.
	EvictionSoft, EvictionSoftGracePeriod, EvictionMinimumReclaim map[string]string
	// ImageGCHighPercent and ImageGCLowPercent are 85 and 80 by default, as a kubelet's.
	ImageGCHighPercent, ImageGCLowPercent int
	// PressureTransition is how long a pressure condition stays after its cause has gone, 20 s by default.
	PressureTransition time.Duration
	// ImageMinimumGCAge is how long an image is safe from garbage collection, 10 s by default.
	ImageMinimumGCAge time.Duration
	// NodeStatusMaxImages is how many images the Node object lists, 50 by default; -1 is no limit.
	NodeStatusMaxImages int
	// Labels are put on the Node object before StartNode returns.
	Labels map[string]string
}

// Node is a real kubelet and a real containerd in a network namespace of their own.
type Node struct {
	Name       string
	InternalIP string
	ImageDir   string // where the image file system is mounted

	plane    *ControlPlane
	options  NodeOptions
	state    NodeState
	index    int
	dir      string // configuration and logs
	registry string // host:port

	binDir      string
	kubeletArgs []string
	kubelet     *running
}

// EmptyDir is the folder of a pod's volume of that kind.
func (n *Node) EmptyDir(podUID, volume string) string {
	return filepath.Join(n.kubeletRoot(), "pods", podUID, "volumes", "kubernetes.io~empty-dir", volume)
}

func (n *Node) kubeletRoot() string { return filepath.Join(n.state.Folder, "kubelet") }

// nodeName is a DNS label that leaves room in the names made from it.
var nodeName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$`)

// StartNode starts a node and returns when it is Ready and takes pods. The control plane must have been started ForNodes and with
// a controller manager. The registry serves RegistryHost. On an error nothing is left of the node.
func StartNode(ctx context.Context, cp *ControlPlane, reg *Registry, o NodeOptions) (_ *Node, err error) {
	if err := Available(); err != nil {
		return nil, err
	}
	if !nodeName.MatchString(o.Name) {
		return nil, fmt.Errorf("node name %q: use at most 40 lower-case letters, digits and dashes", o.Name)
	}
	bin, err := BuildNode(ctx, cp.out)
	if err != nil {
		return nil, err
	}
	if _, err := reg.Push(ctx, Image{Name: pauseImage}); err != nil {
		return nil, err
	}
	began := time.Now()
	n := &Node{Name: o.Name, plane: cp, options: o.withDefaults(), binDir: bin, registry: reg.Address, dir: filepath.Join(cp.Dir, "nodes", o.Name)}
	if err := n.allocate(); err != nil {
		return nil, fmt.Errorf("node %q: %w", o.Name, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("node %q: %w", o.Name, err), n.Stop())
		}
	}()
	if err := n.create(ctx); err != nil {
		return nil, err
	}
	if err := n.startContainerd(ctx); err != nil {
		return nil, err
	}
	if err := n.StartKubelet(ctx); err != nil {
		return nil, err
	}
	say(cp.out, "node %s ready in %s at %s\n", n.Name, time.Since(began).Round(100*time.Millisecond), n.InternalIP)
	return n, nil
}

// allocate gives the node everything that has to be its own on this machine, and writes that down.
func (n *Node) allocate() error {
	var failure error
	err := n.plane.state.update(func(s *State) {
		number, err := bridgeNumber(s.Bridge)
		if err != nil {
			failure = errors.New("the control plane has no network for nodes: start it with ForNodes")
			return
		}
		if slices.ContainsFunc(s.Nodes, func(other NodeState) bool { return other.Name == n.Name }) {
			failure = errors.New("there is one of that name already")
			return
		}
		for n.index = 0; slices.ContainsFunc(s.Nodes, func(other NodeState) bool {
			return other.InternalIP == nodeAddress(number, n.index)
		}); n.index++ {
		}
		lab := fmt.Sprintf("%s%d", bridgePrefix, number)
		n.state = NodeState{
			Name: n.Name, InternalIP: nodeAddress(number, n.index), Folder: filepath.Join(nodesFolder, strconv.Itoa(number), n.Name),
			Namespace: lab + "-" + n.Name, Interface: fmt.Sprintf("%sn%d", lab, n.index), Cgroup: lab + "-" + n.Name,
		}
		s.Nodes = append(s.Nodes, n.state)
	})
	n.InternalIP, n.ImageDir = n.state.InternalIP, filepath.Join(n.state.Folder, "images")
	return errors.Join(failure, err)
}

// create makes the node's disk, network, control group and configuration.
func (n *Node) create(ctx context.Context) (err error) {
	if err := createDisk(ctx, filepath.Join(n.state.Folder, "images.ext4"), n.ImageDir, n.options.DiskBytes); err != nil {
		return err
	}
	if err := createNamespace(ctx, n.plane.state.read().Bridge, n.state); err != nil {
		return err
	}
	if err := createCgroup(n.state.Cgroup); err != nil {
		return err
	}
	n.kubeletArgs, err = n.writeKubeletConfig()
	return err
}

// startContainerd starts the node's containerd.
func (n *Node) startContainerd(ctx context.Context) error {
	config, err := n.writeContainerdConfig()
	if err != nil {
		return err
	}
	r, err := n.start("containerd", "--config="+config)
	if err != nil {
		return err
	}
	return r.until(ctx, time.Minute, func(ctx context.Context) error { return dial(ctx, containerdSocket(n.state.Folder)) })
}

// start starts a program in the node's network.
func (n *Node) start(name string, args ...string) (*running, error) {
	nsenter, err := find("nsenter")
	if err != nil {
		return nil, err
	}
	return start(command{
		name: name, path: nsenter,
		args:    append([]string{"--net=" + namespacePath(n.state.Namespace), filepath.Join(n.binDir, name)}, args...),
		env:     []string{"PATH=" + n.binDir + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		logFile: filepath.Join(n.dir, name+".log"), detached: n.plane.detached,
	}, n.plane.state.recordNodeProcess(n.Name))
}

// StartKubelet starts the node's kubelet, after StopKubelet, and returns when the node is Ready.
func (n *Node) StartKubelet(ctx context.Context) error {
	since := time.Now()
	r, err := n.start("kubelet", n.kubeletArgs...)
	if err != nil {
		return err
	}
	n.kubelet = r
	return r.until(ctx, 2*time.Minute, func(ctx context.Context) error { return n.ready(ctx, since) })
}

// StopKubelet ends the node's kubelet and nothing else: pods go on running, and after a while the node is NotReady.
func (n *Node) StopKubelet() error {
	if n.kubelet == nil {
		return nil
	}
	return end(endGrace, n.kubelet.Process)
}

// Stop ends the node as if its machine were switched off, and undoes what it has made; its Node object stays. It may be called
// more than once.
func (n *Node) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, state := range n.plane.state.read().Nodes {
		if state.Name != n.Name {
			continue
		}
		if err := state.undo(ctx); err != nil {
			return err
		}
	}
	return n.plane.state.update(func(s *State) {
		s.Nodes = slices.DeleteFunc(s.Nodes, func(other NodeState) bool { return other.Name == n.Name })
	})
}
