// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package simnode

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/headroom-dev/headroom/test/simnode/disk"
)

// Options say which nodes to simulate, and where.
type Options struct {
	// Config reaches the API server, as somebody who may do what kubelets do on
	// every node: create and patch nodes, leases, pods/status, events and delete
	// pods, create token and subject access reviews.
	Config *rest.Config
	// Client is used in place of one made from Config, when set.
	Client kubernetes.Interface
	Nodes  []NodeSpec
	// Images is the registry. Nil Images and a nil Default mean DefaultCatalog.
	Images disk.Catalog
	// Speed divides every period and pause that a NodeSpec leaves to the kubelet's
	// default, and multiplies the default pull rate. 0 means 1.
	Speed int

	// ListenAddress is the IP address of all nodes, each with a port of its own.
	// Empty gives each node its own loopback address (127.77.x.y), or 127.0.0.1
	// where the system has only that one. "auto" takes the machine's first address
	// that is not a loopback one, and if there is none does as with empty: the API
	// server's node proxy (nodes/NAME/proxy) refuses loopback addresses.
	ListenAddress string
	// Port is the kubelet port of every node; 0 takes a free one. It needs an
	// address of its own for each node.
	Port int
	// ServingCACertPEM and ServingCAKeyPEM sign the serving certificates. Empty
	// means a new CA: see Fleet.CAPEM.
	ServingCACertPEM, ServingCAKeyPEM []byte
	// SelfSigned gives each node a certificate that nobody signed, as kubelets
	// without serverTLSBootstrap have.
	SelfSigned bool
	// ClientCAPEM holds the CAs whose client certificates are believed. Empty means
	// tokens only.
	ClientCAPEM []byte
	// AuthCacheTTL is how long an answer of a token or access review is kept; 0 is
	// 10 s, negative not at all. (Kubelets keep them for 30 s to 5 min.)
	AuthCacheTTL time.Duration
	// ManageTaints sets and removes the disk-pressure taint and removes the
	// not-ready taint. Only for clusters without a controller manager, which does
	// the same from the conditions.
	ManageTaints bool
	// Clock tells the time; nil is the real one.
	Clock clock.PassiveClock
	// Logger gets what goes wrong; the zero value is silent.
	Logger logr.Logger
}

// NodeSpec is one node. What is left zero is what a kubelet would assume.
type NodeSpec struct {
	Name string
	// Config is the disk, its garbage collection and its timing. Its Thresholds
	// are filled in from the eviction settings below.
	disk.Config

	// Eviction settings as in a kubelet's configuration file. A nil EvictionHard
	// means the kubelet's defaults; a set one replaces all of them.
	EvictionHard            map[string]string
	EvictionSoft            map[string]string
	EvictionSoftGracePeriod map[string]string
	EvictionMinimumReclaim  map[string]string

	// NodeStatusMaxImages cuts the image list; 0 means 50, -1 no cut.
	NodeStatusMaxImages int
	// StatusPeriod is how often the status is computed, StatusReportPeriod how
	// often it is sent unchanged, LeasePeriod how often the lease is renewed.
	StatusPeriod       time.Duration
	StatusReportPeriod time.Duration
	LeasePeriod        time.Duration

	Labels            map[string]string
	Annotations       map[string]string
	Taints            []corev1.Taint
	AllocatableCPU    resource.Quantity // 0 means 8
	AllocatableMemory resource.Quantity // 0 means 32Gi
	MaxPods           int               // 0 means 110

	// OtherPods is how many pods the Summary tells of besides those that run here,
	// so that it is as large as a busy node's.
	OtherPods int
}

// DefaultEvictionHard are the thresholds of a kubelet on Linux that was told none.
func DefaultEvictionHard() map[string]string {
	return map[string]string{
		"memory.available": "100Mi", "nodefs.available": "10%", "nodefs.inodesFree": "5%",
		"imagefs.available": "15%", "imagefs.inodesFree": "5%",
	}
}

// PauseImage is the sandbox image that DefaultCatalog has, pinned.
const PauseImage = "registry.k8s.io/pause:3.10.1"

// DefaultCatalog has the pause image, and takes every other name for an image of
// 100 MB that takes 300 MB on the disk.
func DefaultCatalog() disk.Catalog {
	other := disk.SimpleImage("", 100_000_000, 300_000_000)
	return disk.Catalog{Images: map[string]disk.Image{PauseImage: pauseImage()}, Default: &other}
}

func pauseImage() disk.Image {
	pause := disk.SimpleImage(PauseImage, 319_000, 1_060_000)
	pause.Pinned = true
	return pause
}

func (o Options) validate() error {
	if o.Config == nil && o.Client == nil {
		return errors.New("options: a rest config or a client is needed")
	}
	if len(o.Nodes) == 0 {
		return errors.New("options: at least one node is needed")
	}
	if o.Port != 0 && o.ListenAddress != "" && len(o.Nodes) > 1 {
		return fmt.Errorf("options: %d nodes cannot share port %d of %q; leave the port or the listen address out", len(o.Nodes), o.Port, o.ListenAddress)
	}
	seen := map[string]bool{}
	for _, spec := range o.Nodes {
		if spec.Name == "" {
			return errors.New("options: a node has no name")
		}
		if seen[spec.Name] {
			return fmt.Errorf("options: two nodes are called %q", spec.Name)
		}
		seen[spec.Name] = true
	}
	return nil
}

// withDefaults fills in what a kubelet would assume, at a speed.
func (s NodeSpec) withDefaults(speed int) (NodeSpec, error) {
	speed = max(1, speed)
	faster := func(d *time.Duration, kubelet time.Duration) {
		if *d == 0 {
			*d = kubelet / time.Duration(speed)
		}
	}
	if s.PullBytesPerSecond == 0 {
		s.PullBytesPerSecond = int64(speed) * disk.Defaults(disk.Config{}).PullBytesPerSecond
	}
	kubelet := disk.Defaults(disk.Config{})
	faster(&s.ImageMinimumGCAge, kubelet.ImageMinimumGCAge)
	faster(&s.PressureTransition, kubelet.PressureTransition)
	faster(&s.PullBackoff, kubelet.PullBackoff)
	faster(&s.PullBackoffMax, kubelet.PullBackoffMax)
	faster(&s.SyncRetry, kubelet.SyncRetry)
	faster(&s.GCPeriod, kubelet.GCPeriod)
	faster(&s.DetectPeriod, kubelet.DetectPeriod)
	faster(&s.EvictionPeriod, kubelet.EvictionPeriod)
	faster(&s.HousekeepingPeriod, kubelet.HousekeepingPeriod)
	faster(&s.ImageListPeriod, kubelet.ImageListPeriod)
	faster(&s.PodCleanup, kubelet.PodCleanup)
	faster(&s.StatusPeriod, 10*time.Second)
	faster(&s.StatusReportPeriod, 5*time.Minute)
	if s.LeasePeriod == 0 {
		s.LeasePeriod = 10 * time.Second // the node lifecycle controller does not speed up
	}
	s.Config = disk.Defaults(s.Config)
	if s.EvictionHard == nil {
		s.EvictionHard = DefaultEvictionHard()
	}
	if s.NodeStatusMaxImages == 0 {
		s.NodeStatusMaxImages = 50
	}
	if s.AllocatableCPU.IsZero() {
		s.AllocatableCPU = resource.MustParse("8")
	}
	if s.AllocatableMemory.IsZero() {
		s.AllocatableMemory = resource.MustParse("32Gi")
	}
	if s.MaxPods == 0 {
		s.MaxPods = 110
	}
	var err error
	s.Thresholds, err = disk.ParseThresholds(s.EvictionHard, s.EvictionSoft, s.EvictionSoftGracePeriod, s.EvictionMinimumReclaim)
	if err != nil {
		return s, fmt.Errorf("node %q: %w", s.Name, err)
	}
	return s, nil
}
