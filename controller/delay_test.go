// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"k8s.io/apimachinery/pkg/types"

	"github.com/headroom-dev/headroom/ledger"
)

func TestInformerDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewInformerDelay(nil, logr.Discard())
		set := func(uid types.UID) { d.PodSet(ledger.Pod{UID: uid}) }
		d.Admitted("a")
		time.Sleep(30 * time.Millisecond)
		d.Admitted("b")
		set("a")
		set("a")                 // an update
		set("made by others")    // or admitted by another replica
		d.Admitted("refused")    // by another webhook: it never comes
		d.PodDeleted("unheard")  // nor was this one awaited
		d.Admitted("short life") // deleted before it was seen
		d.PodDeleted("short life")
		time.Sleep(time.Second)
		set("short life")
		set("b")
		var m dto.Metric
		if err := d.seconds.Write(&m); err != nil {
			t.Fatal(err)
		}
		got := []string{strconv.FormatUint(m.Histogram.GetSampleCount(), 10), fmt.Sprintf("%.3f", m.Histogram.GetSampleSum())}
		if diff := cmp.Diff([]string{"2", "1.030"}, got); diff != "" {
			t.Errorf("delays and their sum (-want +got):\n%s", diff)
		}
		for i := range 2 * maxAwaited {
			d.Admitted(types.UID(strconv.Itoa(i)))
		}
		if n := d.admitted.len(); n != maxAwaited {
			t.Errorf("%d pods are awaited", n)
		}
	})
}
