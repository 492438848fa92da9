// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package placement

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

const (
	// conditionPrefix is of the taints that the node controller sets from a
	// node's conditions and takes away with them.
	conditionPrefix = "node.kubernetes.io/"
	// uninitialized is set on new nodes until the cloud provider has seen them
	// (k8s.io/cloud-provider/api.TaintExternalCloudProvider).
	uninitialized = "node.cloudprovider.kubernetes.io/uninitialized"
)

// Lasting reports whether a taint means something that does not go away by
// itself. isStartup names the keys that do; nil is none beyond Kubernetes' own.
func Lasting(taint *corev1.Taint, isStartup func(taintKey string) bool) bool {
	switch {
	case taint.Effect != corev1.TaintEffectNoSchedule && taint.Effect != corev1.TaintEffectNoExecute:
		return false
	case strings.HasPrefix(taint.Key, conditionPrefix), taint.Key == uninitialized:
		return false
	default:
		return isStartup == nil || !isStartup(taint.Key)
	}
}

// daemonTolerations are what the DaemonSet controller adds to each of its pods.
func daemonTolerations(hostNetwork bool) []corev1.Toleration {
	exists := func(key string, effect corev1.TaintEffect) corev1.Toleration {
		return corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists, Effect: effect}
	}
	tolerations := []corev1.Toleration{
		exists(corev1.TaintNodeNotReady, corev1.TaintEffectNoExecute),
		exists(corev1.TaintNodeUnreachable, corev1.TaintEffectNoExecute),
		exists(corev1.TaintNodeDiskPressure, corev1.TaintEffectNoSchedule),
		exists(corev1.TaintNodeMemoryPressure, corev1.TaintEffectNoSchedule),
		exists(corev1.TaintNodePIDPressure, corev1.TaintEffectNoSchedule),
		exists(corev1.TaintNodeUnschedulable, corev1.TaintEffectNoSchedule),
	}
	if hostNetwork {
		tolerations = append(tolerations, exists(corev1.TaintNodeNetworkUnavailable, corev1.TaintEffectNoSchedule))
	}
	return tolerations
}

// concernedBy reports whether a taint can keep the pod away at all.
func (c *Constraints) concernedBy(taint *corev1.Taint) bool {
	switch taint.Effect {
	case corev1.TaintEffectNoExecute:
		return true
	case corev1.TaintEffectNoSchedule:
		return c.nodeName == ""
	case corev1.TaintEffectPreferNoSchedule:
		return false
	default:
		return false
	}
}

// tolerates reports whether a toleration of the pod matches the taint. The rules
// are those of corev1.Toleration.ToleratesTaint, written out here because that
// one takes a logger, which this package has no use for, and because of the
// numeric operators Lt and Gt: whether they count depends on a feature gate of
// the scheduler that nobody can read, so the caller says which way to err.
func (c *Constraints) tolerates(taint *corev1.Taint, inDoubt bool) bool {
	if c.beyond {
		return inDoubt
	}
	for i := range c.tolerations {
		t := &c.tolerations[i]
		if t.Effect != "" && t.Effect != taint.Effect || t.Key != "" && t.Key != taint.Key {
			continue
		}
		switch t.Operator {
		case corev1.TolerationOpExists:
			return true
		case corev1.TolerationOpEqual, "":
			if t.Value == taint.Value {
				return true
			}
		case corev1.TolerationOpLt, corev1.TolerationOpGt:
			if inDoubt {
				return true
			}
		}
	}
	return false
}
