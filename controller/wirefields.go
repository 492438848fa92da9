// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"bytes"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What slimPod and slimNode read, and what the reflector does, by the numbers of the fields in the generated.proto of k8s.io/api/core/v1
// and k8s.io/apimachinery/pkg/apis/meta/v1.
var (
	metaWire = message(kept{
		1: all, 3: all, 5: all, 6: all, 8: all, 9: all, // name, namespace, uid, resourceVersion, creation- and deletionTimestamp
		11: all, 13: all, // labels, ownerReferences
		12: message(kept{1: all, 2: all}).of(metav1.InitialEventsAnnotationKey), // annotations: that of the end of a streaming list
	})
	podWire = message(kept{1: metaWire, 2: podSpecWire, 3: podStatusWire})

	podSpecWire = message(kept{
		1: message(kept{1: all, 2: message(kept{30: all}).having(30)}).having(2), // volumes: name, volumeSource.image
		2: containerWire, 20: containerWire,                                      // containers, initContainers
		34: message(kept{1: message(kept{1: all, 2: all, 14: all})}),          // ephemeralContainers: name, image, imagePullPolicy
		7:  all,                                                               // nodeSelector
		10: all,                                                               // nodeName
		18: message(kept{1: message(kept{1: all}), 3: message(kept{1: all})}), // affinity: nodeAffinity, podAntiAffinity: what is required
		22: all, 24: all, 32: all, 33: all,                                    // tolerations, priorityClassName, overhead, topologySpreadConstraints
		36: all, 38: all, 40: all, // os, schedulingGates, resources
	})
	containerWire = message(kept{
		1: all, 2: all, 14: all, 24: all, // name, image, imagePullPolicy, restartPolicy
		6: message(kept{1: all, 2: all, 3: all, 4: all, 5: all}).having(2), // ports: those of the node
		8: message(kept{2: all}),                                           // resources: requests
	})
	podStatusWire = message(kept{
		1: all, 11: all, // phase, nominatedNodeName
		2:  message(kept{1: all, 2: all, 5: all}).of(string(corev1.PodScheduled)), // conditions: type, status, reason
		10: statusWire, 8: statusWire, 13: statusWire,                             // of initContainers, containers, ephemeralContainers
	})
	statusWire = message(kept{
		1: all, 7: all, // name, imageID
		2: stateWire, 3: stateWire, // state, lastState
		12: message(kept{1: all, 5: message(kept{1: all}).having(1)}).having(5), // volumeMounts: name, volumeStatus.image
	})
	stateWire = message(kept{
		1: message(kept{1: all}), // waiting: reason
		2: all,                   // running
		3: message(kept{5: all}), // terminated: startedAt
	})

	nodeWire = message(kept{
		1: metaWire,
		2: message(kept{4: all, 5: all}), // spec: unschedulable, taints
		3: message(kept{
			1: message(kept{1: all, 2: all}).of(string(corev1.ResourceEphemeralStorage)), // capacity
			2: all, 6: all, 8: all,                                                       // allocatable, daemonEndpoints, images
			4: message(kept{1: all, 2: all}).of(string(corev1.NodeReady), string(corev1.NodeDiskPressure)), // conditions: type, status
			5: message(kept{1: all, 2: all}).of(string(corev1.NodeInternalIP)),                             // addresses
			7: message(kept{3: all, 6: all, 9: all, 10: all}),                                              // nodeInfo: bootID, containerRuntimeVersion, operatingSystem, architecture
		}),
	})

	// eventWire is a metav1.WatchEvent with its type, and the object as it is in runtime.RawExtension.
	eventWire = message(kept{1: all, 2: message(kept{1: {envelope: true}})})
	// These are runtime.Unknown with an object of a kind: its other fields are few.
	envelopedPod, envelopedNode = enveloped(podWire), enveloped(nodeWire)
)

func enveloped(w *wire) *wire { return message(kept{1: all, 2: w, 3: all, 4: all}) }

// protobufPrefix is what objects in protobuf begin with (k8s.io/apimachinery/pkg/runtime/serializer/protobuf).
var protobufPrefix = []byte("k8s\x00")

// appendEnveloped appends what is kept of an object: all of those of other kinds.
func appendEnveloped(b, object []byte) (result []byte, kept, whole bool) {
	unknown, prefixed := bytes.CutPrefix(object, protobufPrefix)
	if w := envelopedIn(unknown); prefixed && w != nil {
		return w.filter(append(b, protobufPrefix...), unknown)
	}
	return append(b, object...), true, true
}

// envelopedIn returns what is kept of a runtime.Unknown, nil for all of it. Its kind comes first.
func envelopedIn(unknown []byte) *wire {
	typeMeta, whole := nextField(unknown)
	if !whole || typeMeta.number != 1 {
		return nil
	}
	version, whole := nextField(typeMeta.content)
	if !whole || version.number != 1 || string(version.content) != "v1" {
		return nil
	}
	kind, whole := nextField(typeMeta.content[len(version.raw):])
	if !whole || kind.number != 2 {
		return nil
	}
	switch string(kind.content) {
	case "Pod":
		return envelopedPod
	case "Node":
		return envelopedNode
	default:
		return nil
	}
}
