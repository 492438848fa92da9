// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/headroom-dev/headroom/hack/bench/fleet"
	"github.com/headroom-dev/headroom/hack/bench/load"
	"github.com/headroom-dev/headroom/hack/bench/peer"
	"github.com/headroom-dev/headroom/hack/bench/process"
	"github.com/headroom-dev/headroom/hack/bench/result"
)

// The rates at which the API server makes events, a second.
const podEvents, nodeUpdates = 5000, 50

// busyness are the rates of requests and of the events among which they come: those that a target is about, and a tenth of
// each. The former need more than two processors, with all that makes the load; by the latter can be seen what an answer takes
// where there are processors for it.
var busyness = []result.Asked{
	{Rate: result.RequestRate, PodEvents: podEvents, NodeUpdates: 1500},
	{Rate: result.RequestRate / 10, PodEvents: podEvents / 10, NodeUpdates: 150},
}

// largest is the size of the largest cluster.
func (s *serviceRun) largest() Size {
	return slices.MaxFunc(s.Sizes, func(a, b Size) int { return cmp.Compare(a.Nodes, b.Nodes) })
}

// events measures what it takes to take in events, and, where it is asked for, how fresh answers are meanwhile.
func (s *serviceRun) events(ctx context.Context, client kubernetes.Interface, headroom *service, served *result.Served, fresh bool) (err error) {
	served.PodEvents, served.NodeUpdates = podEvents, nodeUpdates
	if err := churn(ctx, client, served.PodEvents, served.NodeUpdates); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, churn(ctx, client, 0, 0)) }()
	time.Sleep(settle)
	before, err := seenAt(ctx, client, headroom)
	if err != nil {
		return err
	}
	time.Sleep(s.Duration)
	after, err := seenAt(ctx, client, headroom)
	if err != nil {
		return err
	}
	seconds := after.at.Sub(before.at).Seconds()
	served.EventsCores, served.EventsMade = (after.used-before.used).Seconds()/seconds, float64(after.version-before.version)/seconds
	if !served.KeptUp() {
		s.say("the API server makes %.0f events a second, and not %.0f: this round does not count for M3 and F1", served.EventsMade, served.PodEvents+served.NodeUpdates)
	}
	if !fresh || s.FreshSamples == 0 {
		return nil
	}
	return s.fresh(ctx, client, headroom, served)
}

// moment is what was seen at a time.
type moment struct {
	at   time.Time
	used time.Duration
	// version is the API server's: one more with each event.
	version uint64
}

func seenAt(ctx context.Context, client kubernetes.Interface, headroom *service) (m moment, err error) {
	m.at = time.Now()
	if m.used, err = process.CPU(headroom.PID()); err != nil {
		return m, err
	}
	list, err := client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return m, err
	}
	m.version, err = strconv.ParseUint(list.ResourceVersion, 10, 64)
	return m, err
}

// busy asks for decisions while events arrive, and a bare webhook at the same time of day.
func (s *serviceRun) busy(ctx context.Context, client kubernetes.Interface, headroom *service, served *result.Served) (err error) {
	images, err := someImages(ctx, client)
	if err != nil {
		return err
	}
	bare, target, err := startPeer(ctx, peer.Bare, fleet.Of(1, fleet.Roomy))
	if err != nil {
		return err
	}
	defer bare.Stop()
	defer func() { err = errors.Join(err, churn(ctx, client, 0, 0)) }()
	for _, asked := range busyness {
		if err := churn(ctx, client, asked.PodEvents, asked.NodeUpdates); err != nil {
			return err
		}
		time.Sleep(settle)
		plan := load.Plan{Images: images, Generator: load.Open, Callers: 1, Rate: asked.Rate, Warmup: time.Second, Duration: s.Duration}
		plan.Target = target
		if asked.Bare, err = runLoad(ctx, plan); err != nil {
			return err
		}
		plan.Target = headroom.target
		if asked.Headroom, err = runLoad(ctx, plan); err != nil {
			return err
		}
		served.Asked = append(served.Asked, asked)
	}
	return nil
}

// churn tells the synthetic API server how much is to change a second.
func churn(ctx context.Context, client kubernetes.Interface, podEvents, nodeUpdates float64) error {
	body, err := json.Marshal(map[string]any{"PodEventsPerSecond": podEvents, "NodeUpdatesPerSecond": nodeUpdates, "ListEvery": 10})
	if err != nil {
		return err
	}
	return client.Discovery().RESTClient().Put().AbsPath("/synthapi/churn").Body(body).Do(ctx).Error()
}

// someImages are images that nodes of the cluster list.
func someImages(ctx context.Context, client kubernetes.Interface) ([]string, error) {
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{Limit: 4})
	if err != nil {
		return nil, err
	}
	var images []string
	for _, node := range nodes.Items {
		for i := 0; i < len(node.Status.Images); i += max(1, len(node.Status.Images)/2) {
			names := node.Status.Images[i].Names
			images = append(images, names[len(names)-1])
		}
	}
	if len(images) == 0 {
		return nil, errors.New("its nodes list no images")
	}
	return images, nil
}
