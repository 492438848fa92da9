// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

// feedServer answers the streaming lists of nodes and pods in protobuf, from functions that make the objects as they are sent:
// it holds nothing itself, so that what the process keeps is what the informers keep. It knows no other request.
type feedServer struct {
	nodes, pods int
	node, pod   func(i int) runtime.Object
	// podsToo are frames that come before the end of the list of pods.
	podsToo [][]byte
}

func (s *feedServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	count, object := s.nodes, s.node
	if strings.HasSuffix(r.URL.Path, "/pods") {
		count, object = s.pods, s.pod
	}
	if r.URL.Query().Get("sendInitialEvents") != "true" {
		http.Error(w, "only streaming lists", http.StatusNotImplemented)
		return
	}
	w.Header().Set("Content-Type", "application/vnd.kubernetes.protobuf;stream=watch")
	for i := range count {
		if _, err := w.Write(frame("ADDED", object(i))); err != nil {
			return
		}
	}
	if strings.HasSuffix(r.URL.Path, "/pods") {
		for _, frame := range s.podsToo {
			_, _ = w.Write(frame)
		}
	}
	end := metav1.ObjectMeta{ResourceVersion: "1", Annotations: map[string]string{metav1.InitialEventsAnnotationKey: "true"}}
	var last runtime.Object = &corev1.Node{ObjectMeta: end}
	if strings.HasSuffix(r.URL.Path, "/pods") {
		last = &corev1.Pod{ObjectMeta: end}
	}
	_, _ = w.Write(frame("BOOKMARK", last))
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

// frame is one event of a watch as it is on the wire.
func frame(kind string, object runtime.Object) []byte {
	info, _ := runtime.SerializerInfoForMediaType(scheme.Codecs.SupportedMediaTypes(), runtime.ContentTypeProtobuf)
	raw, err := runtime.Encode(scheme.Codecs.EncoderForVersion(info.Serializer, corev1.SchemeGroupVersion), object)
	if err != nil {
		panic(err)
	}
	event := metav1.WatchEvent{Type: kind, Object: runtime.RawExtension{Raw: raw}}
	body, err := event.Marshal()
	if err != nil {
		panic(err)
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

// client returns a client of the server that speaks protobuf.
func (s *feedServer) client(t testing.TB) kubernetes.Interface {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	client, err := kubernetes.NewForConfig(ProtobufConfig(&rest.Config{Host: server.URL}))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// feedNode is node i of a large cluster, with 50 of 2,000 images, each by a digest and a tag.
func feedNode(i int) *corev1.Node {
	name := fmt.Sprintf("node-%05d", i)
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, UID: types.UID(fmt.Sprintf("%08d-3333-4000-8000-000000000000", i)), ResourceVersion: strconv.Itoa(i),
			Labels: map[string]string{
				corev1.LabelHostname: name, corev1.LabelArchStable: "amd64", corev1.LabelOSStable: "linux",
				corev1.LabelTopologyZone: "zone-" + strconv.Itoa(i%3), corev1.LabelTopologyRegion: "region",
				corev1.LabelInstanceTypeStable: "m5.4xlarge", "example.com/pool": "pool-" + strconv.Itoa(i%8), "example.com/team": "shop",
			},
			Annotations:   map[string]string{"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubelet", FieldsV1: metav1.NewFieldsV1(strings.Repeat("x", 1500))}},
		},
		Status: corev1.NodeStatus{
			Capacity: corev1.ResourceList{corev1.ResourceEphemeralStorage: resource.MustParse("200Gi")},
			Allocatable: corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse("15890m"), corev1.ResourceMemory: resource.MustParse("60Gi"), corev1.ResourcePods: resource.MustParse("110"),
				corev1.ResourceEphemeralStorage: resource.MustParse("180Gi"), "hugepages-1Gi": resource.MustParse("0"), "hugepages-2Mi": resource.MustParse("0"),
			},
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastHeartbeatTime: metav1.NewTime(time.Unix(1_700_000_000, 0))}},
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)}, {Type: corev1.NodeHostName, Address: name},
			},
			DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: 10250}},
			NodeInfo: corev1.NodeSystemInfo{
				BootID: fmt.Sprintf("%08d-4444-4000-8000-000000000000", i), ContainerRuntimeVersion: "containerd://2.4.0",
				OperatingSystem: "linux", Architecture: "amd64", KubeletVersion: "v1.37.2",
			},
		},
	}
	for k := range 50 {
		image := (i*7 + 37*k) % 2000
		repository := fmt.Sprintf("registry.example.com/team-%d/service-%d", image%40, image)
		n.Status.Images = append(n.Status.Images, corev1.ContainerImage{
			Names: []string{fmt.Sprintf("%s@sha256:%064x", repository, image), repository + ":v1"}, SizeBytes: 100<<20 + int64(image),
		})
	}
	return n
}
