// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package crowd_test

import (
	"context"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/headroom-dev/headroom/kubelet"
	"github.com/headroom-dev/headroom/test/simnode/crowd"
)

// everywhere makes what asks a crowd that runs in this process.
func everywhere(t *testing.T, o crowd.Options, clock func() time.Time) (client *kubelet.Client, at func(address string) kubelet.Target) {
	t.Helper()
	o.KubeletAt = func(address netip.Addr) (i int, known bool) {
		parts := address.As4()
		return int(parts[3]) - 1, parts[1] == 99
	}
	c, err := crowd.Start(o, clock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	client, err = kubelet.Direct(kubelet.DirectOptions{CAPEM: c.CAPEM, Token: func(context.Context) (string, error) { return token, nil }})
	if err != nil {
		t.Fatal(err)
	}
	return client, func(address string) kubelet.Target {
		return kubelet.Target{Node: address, Address: address, Port: c.Ports[0]}
	}
}

func TestKubeletsOfOnePortAnswerAtTheirOwnAddressesAlone(t *testing.T) {
	client, at := everywhere(t, crowd.Options{Kubelets: 2, Pods: 1, Interfaces: 2, AvailableBytes: 20 << 30}, time.Now)
	for address, answers := range map[string]bool{"127.99.0.1": true, "127.99.0.2": true, "127.99.0.3": false, "127.98.0.1": false} {
		s, err := client.Stats(t.Context(), at(address))
		if answers != (err == nil) || answers && s.AvailableBytes != 20<<30 {
			t.Errorf("%s: %+v, %v, want an answer: %t", address, s, err, answers)
		}
	}
}

func TestKubeletsTellTheirConfiguration(t *testing.T) {
	client, at := everywhere(t, crowd.Options{Kubelets: 1, Pods: 1, Interfaces: 2}, time.Now)
	config, err := client.Config(t.Context(), at("127.99.0.1"))
	if err != nil || config.ImageGCHighPercent != 85 || len(config.Thresholds) != 4 {
		t.Errorf("got %+v, %v, want the defaults", config, err)
	}
}

func TestFiguresAreSecondsOldAtMost(t *testing.T) {
	var later atomic.Int64 // seconds
	begin := time.Now().Add(-time.Minute)
	client, at := everywhere(t, crowd.Options{Kubelets: 1, Pods: 1, Interfaces: 2}, func() time.Time {
		return begin.Add(time.Duration(later.Load()) * time.Second)
	})
	sampled := func() time.Time {
		s, err := client.Stats(t.Context(), at("127.99.0.1"))
		if err != nil {
			t.Fatal(err)
		}
		return s.SampledAt
	}
	first := sampled()
	for _, seconds := range []int64{5, 10} {
		later.Store(seconds)
		younger := time.Duration(seconds/10*10) * time.Second
		if got := sampled().Sub(first); got != younger {
			t.Errorf("%d s later they are %s younger, want %s", seconds, got, younger)
		}
	}
}
