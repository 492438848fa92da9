// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/headroom-dev/headroom/hack/bench/fleet"
	"github.com/headroom-dev/headroom/hack/bench/load"
	"github.com/headroom-dev/headroom/hack/bench/peer"
	"github.com/headroom-dev/headroom/hack/bench/process"
	"github.com/headroom-dev/headroom/hack/bench/result"
)

// ServiceOptions say how large the clusters are.
type ServiceOptions struct {
	Part

	Sizes []Size
	// Duration is how long events are taken in, and requests asked.
	Duration time.Duration
	// Informers says whether client-go's typed informers are run on the same data: that takes gigabytes.
	Informers bool
}

// Size is the size of a cluster.
type Size struct{ Nodes, Pods int }

const (
	synthetic = "./test/synthapi/cmd/synthapi"
	baseline  = "./test/synthapi/cmd/baseline"
	// requestRate is of the open loop while events arrive, requests a second.
	requestRate = 1000
	// syncTimeout is for the first lists of the largest cluster on a machine with other things to do.
	syncTimeout = 5 * time.Minute
	// calm is how long a service gets to give memory back to the kernel.
	calm = 20 * time.Second
)

// serviceRun is what one part needs.
type serviceRun struct {
	*ServiceOptions

	headroom, synthetic, baseline string
}

// Service runs a whole `headroom serve` on a synthetic API server.
func Service(ctx context.Context, o ServiceOptions) (*result.Service, error) {
	if _, err := os.Stat(filepath.Join("../..", synthetic)); err != nil {
		return nil, fmt.Errorf("no synthetic API server in this tree: %w", err)
	}
	r := &result.Service{Run: o.begin(ctx)}
	s := &serviceRun{ServiceOptions: &o}
	var err error
	if s.headroom, err = o.buildHeadroom(ctx); err != nil {
		return nil, err
	}
	if s.synthetic, err = o.build(ctx, "../..", synthetic, "synthapi"); err != nil {
		return nil, err
	}
	if s.baseline, err = o.build(ctx, "../..", baseline, "baseline"); err != nil {
		return nil, err
	}
	err = o.turns(len(o.Sizes), func(round, i int) error {
		served, err := s.turn(ctx, o.Sizes[i])
		if err != nil {
			return fmt.Errorf("%d nodes and %d pods: %w", o.Sizes[i].Nodes, o.Sizes[i].Pods, err)
		}
		served.Round = round
		r.Samples = append(r.Samples, *served)
		o.say("round %d: %d nodes, %d pods: ready in %.1f s by %.1f s of CPU (decoding alone %.1f s), %d MiB, peak %d MiB, %.2f cores at events", round+1, served.Nodes, served.Pods,
			served.SyncSeconds, served.SyncCPUSeconds, served.DecodeCPUSeconds, served.Memory.ResidentBytes>>20, served.Memory.PeakBytes>>20, served.EventsCores)
		return nil
	})
	r.LoadAfter = process.LoadAverage()
	return r, err
}

func (s *serviceRun) turn(ctx context.Context, size Size) (*result.Served, error) {
	kubeconfig := filepath.Join(s.Dir, "synthapi.kubeconfig")
	api, err := process.Start(ctx, process.Command{Path: s.synthetic, Args: []string{
		"--kubeconfig=" + kubeconfig, fmt.Sprint("--nodes=", size.Nodes), fmt.Sprint("--pods=", size.Pods),
	}})
	if err != nil {
		return nil, err
	}
	defer api.Stop()
	if _, err := api.ReadLine(); err != nil { // It says so once it serves.
		return nil, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	served := &result.Served{Nodes: size.Nodes, Pods: size.Pods}
	if err := s.baselines(ctx, kubeconfig, served); err != nil {
		return nil, err
	}
	began := time.Now()
	headroom, err := s.startHeadroom(ctx, s.headroom, kubeconfig, nil)
	if err != nil {
		return nil, err
	}
	defer headroom.Stop()
	if err := headroom.ready(ctx, syncTimeout); err != nil {
		return nil, err
	}
	served.SyncSeconds = time.Since(began).Seconds()
	used, err := process.CPU(headroom.PID())
	if err != nil {
		return nil, err
	}
	served.SyncCPUSeconds = used.Seconds()
	time.Sleep(calm)
	if served.Memory, err = process.MemoryOf(headroom.PID()); err != nil {
		return nil, err
	}
	return served, errors.Join(s.events(ctx, config, headroom, served), s.busy(ctx, config, headroom, served))
}

// baselines measures what others take to read the same.
func (s *serviceRun) baselines(ctx context.Context, kubeconfig string, served *result.Served) error {
	read := func(way string) (took struct{ DecodeCPUSeconds, ResidentBytes float64 }, err error) {
		child, err := process.Start(ctx, process.Command{Path: s.baseline, Args: []string{"--kubeconfig=" + kubeconfig, "--way=" + way}})
		if err != nil {
			return took, err
		}
		if err := child.ReadJSON(&took); err != nil {
			return took, err
		}
		return took, child.Wait()
	}
	took, err := read("decode")
	if err != nil {
		return err
	}
	served.DecodeCPUSeconds = took.DecodeCPUSeconds
	if !s.Informers {
		return nil
	}
	if took, err = read("informers"); err != nil {
		return err
	}
	served.InformersBytes = int64(took.ResidentBytes)
	return nil
}

// events measures what it takes to take in events.
func (s *serviceRun) events(ctx context.Context, config *rest.Config, headroom *service, served *result.Served) error {
	served.PodEvents, served.NodeUpdates = 5000, 50
	if err := churn(ctx, config, served.PodEvents, served.NodeUpdates); err != nil {
		return err
	}
	time.Sleep(settle)
	before, err := process.CPU(headroom.PID())
	if err != nil {
		return err
	}
	began := time.Now()
	time.Sleep(s.Duration)
	after, err := process.CPU(headroom.PID())
	served.EventsCores = (after - before).Seconds() / time.Since(began).Seconds()
	return errors.Join(err, churn(ctx, config, 0, 0))
}

// busy asks for decisions while events arrive, and a bare webhook at the same time of day.
func (s *serviceRun) busy(ctx context.Context, config *rest.Config, headroom *service, served *result.Served) (err error) {
	images, err := someImages(ctx, config)
	if err != nil {
		return err
	}
	bare, target, err := startPeer(ctx, peer.Bare, fleet.Of(1, fleet.Roomy))
	if err != nil {
		return err
	}
	defer bare.Stop()
	if err := churn(ctx, config, 5000, 1500); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, churn(ctx, config, 0, 0)) }()
	plan := load.Plan{Images: images, Generator: load.Open, Callers: 1, Rate: requestRate, Warmup: time.Second, Duration: s.Duration}
	plan.Target = target
	if served.Bare, err = runLoad(ctx, plan); err != nil {
		return err
	}
	plan.Target = headroom.target
	served.Busy, err = runLoad(ctx, plan)
	return err
}

// churn tells the synthetic API server how much is to change a second.
func churn(ctx context.Context, config *rest.Config, podEvents, nodeUpdates float64) error {
	body, err := json.Marshal(map[string]any{"PodEventsPerSecond": podEvents, "NodeUpdatesPerSecond": nodeUpdates, "ListEvery": 10})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, config.Host+"/synthapi/churn", bytes.NewReader(body))
	if err != nil {
		return err
	}
	_, err = answered(request)
	return err
}

// someImages are images that nodes of the cluster list.
func someImages(ctx context.Context, config *rest.Config) ([]string, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
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
