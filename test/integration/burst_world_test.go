// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/headroom-dev/headroom/hack/lab"
	"github.com/headroom-dev/headroom/test/serve"
	"github.com/headroom-dev/headroom/test/simnode"
	"github.com/headroom-dev/headroom/test/simnode/disk"
)

func burstCatalog() disk.Catalog {
	image := disk.SimpleImage("", 256<<20, 1<<30)
	return disk.Catalog{Images: simnode.DefaultCatalog().Images, Default: &image}
}

// burstSpecs are three nodes that have room for five images of 1Gi each before they are under disk pressure, and so many
// others that no pod uses.
func burstSpecs(pool string, unused int) []simnode.NodeSpec {
	var specs []simnode.NodeSpec
	for i := range burstNodes {
		specs = append(specs, burstSpec(fmt.Sprintf("%s-%d", pool, i), pool, burstRoom/burstNodes, unused))
	}
	return specs
}

func burstSpec(name, pool string, room, unused int) simnode.NodeSpec {
	const line = 6 << 30 // of 40Gi
	spec := simnode.NodeSpec{
		Name: name, Labels: map[string]string{poolLabel: pool}, MaxPods: burstPods,
		Config: disk.Config{
			DiskBytes: 40 << 30, OtherUsedBytes: 40<<30 - line - int64(room+unused)<<30 - 256<<20, PullBytesPerSecond: 512 << 20,
			// The kubelet deletes no image that it has not known for a while; these nodes are young.
			ImageMinimumGCAge: time.Millisecond,
			PreloadedImages:   []string{simnode.PauseImage},
		},
	}
	for i := range unused {
		spec.PreloadedImages = append(spec.PreloadedImages, fmt.Sprintf("example.com/unused-%d:1", i))
	}
	return spec
}

func burstImage(i int) string { return fmt.Sprintf("example.com/burst-%d:1", i) }

func burstPolicy(lines ...string) string {
	return strings.Replace(policyText(append(lines, "mode: Enforce")...), "images: [", "images: [{match: 'example.com/burst-*:1', size: 1Gi}, ", 1)
}

// startReplicas runs so many Headrooms behind one address, as a Service would have them.
func startReplicas(t *testing.T, replicas int) []*serve.Process {
	t.Helper()
	var processes []*serve.Process
	for range replicas {
		processes = append(processes, startHeadroom(t, "-v", "2"))
	}
	if replicas > 1 {
		register(t, balance(t, processes))
	}
	for _, p := range processes {
		awaitMode(t, p, "Enforce")
	}
	eventually(t, 30*time.Second, "the API server asks all of them", func() bool {
		before := make([]float64, replicas)
		for i, p := range processes {
			before[i] = asked(t, p)
		}
		// At the same time, so that it has a connection to each.
		var probes sync.WaitGroup
		for range 4 * replicas {
			probes.Go(func() {
				_, _ = shared.client.CoreV1().Pods("default").Create(t.Context(), podOf("probe", "example.com/small:1"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			})
		}
		probes.Wait()
		return !slices.ContainsFunc(processes, func(p *serve.Process) bool { return asked(t, p) == before[slices.Index(processes, p)] })
	})
	return processes
}

// balance spreads connections over the processes, and returns the address.
func balance(t *testing.T, processes []*serve.Process) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for i := 0; ; i++ {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", strings.TrimPrefix(processes[i%len(processes)].WebhookURL, "https://"))
			if err != nil {
				_ = client.Close()
				continue
			}
			pipe := func(to, from net.Conn) {
				_, _ = io.Copy(to, from)
				_ = to.Close()
			}
			go pipe(server, client)
			go pipe(client, server)
		}
	}()
	return listener.Addr().String()
}

// register has the API server ask at that address. All of the processes show certificates of the one CA, for its IP address.
func register(t *testing.T, address string) {
	t.Helper()
	configurations := shared.client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	// Headroom itself writes to it as well.
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		c, err := configurations.Get(t.Context(), configurationName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for i := range c.Webhooks {
			target, err := url.Parse(*c.Webhooks[i].ClientConfig.URL)
			if err != nil {
				return err
			}
			target.Host = address
			c.Webhooks[i].ClientConfig.URL = new(target.String())
		}
		_, err = configurations.Update(t.Context(), c, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// burstNamespace is one whose pods are gone at once when the test is over.
func burstNamespace(t *testing.T, name string) {
	t.Helper()
	namespace(t, name)
	t.Cleanup(func() {
		_ = shared.client.CoreV1().Pods(name).DeleteCollection(context.Background(), metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))}, metav1.ListOptions{})
	})
}

// ownerOf makes what all pods of a burst belong to, so that one Event is about all.
func ownerOf(t *testing.T, namespace string) []metav1.OwnerReference {
	t.Helper()
	c, err := shared.client.CoreV1().ConfigMaps(namespace).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "burst"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: c.Name, UID: c.UID, Controller: new(true)}}
}

// holdScheduler keeps the scheduler from doing anything until resume is called, or the test ends.
func holdScheduler(t *testing.T) (resume func()) {
	t.Helper()
	processes := shared.plane.State().Processes
	i := slices.IndexFunc(processes, func(p lab.Process) bool { return p.Name == "kube-scheduler" })
	signal := func(s syscall.Signal) {
		if err := syscall.Kill(processes[i].PID, s); err != nil {
			t.Error(err)
		}
	}
	signal(syscall.SIGSTOP)
	resume = sync.OnceFunc(func() { signal(syscall.SIGCONT) })
	t.Cleanup(resume)
	return resume
}
