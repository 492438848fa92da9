// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package lab builds and runs a real Kubernetes on one Linux machine: etcd, the API server, the controller manager, the
// scheduler, a registry, and nodes made of a real kubelet and a real containerd, each with a small image file system of its
// own that fills in seconds.
//
// The control plane needs nothing but Go. Nodes need root, runc, iptables, CNI plugins and mkfs.ext4 (see [Available]): each
// lives in its own network namespace, with its image file system on a loop device.
//
// Contract: whatever is started is written down first, in a state file outside of the caller's folder, and exactly that is
// ended and undone, by [ControlPlane.Stop], by [Down], or by the next start after a crash. Nothing listens on a fixed port, so
// several labs run side by side. Byte counts are plain int64 fields ending in Bytes.
package lab
