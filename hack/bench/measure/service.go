// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/headroom-dev/headroom/hack/bench/process"
	"github.com/headroom-dev/headroom/hack/bench/result"
)

// ServiceOptions say how large the clusters are.
type ServiceOptions struct {
	Part

	Sizes []Size
	// Duration is how long events are taken in, and requests asked.
	Duration time.Duration
	// FreshSamples is of how many events of a kind it is measured when they show, in each turn of the largest size.
	FreshSamples int
	// Informers says whether client-go's typed informers are run on the same data: that takes gigabytes.
	Informers bool
}

// Size is the size of a cluster.
type Size struct{ Nodes, Pods int }

const (
	synthetic = "./test/synthapi/cmd/synthapi"
	baseline  = "./test/synthapi/cmd/baseline"
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
	r := &result.Service{Run: o.begin()}
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
	config.QPS = -1 // no bound
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	if err := declare(ctx, client); err != nil {
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
	return served, errors.Join(s.events(ctx, client, headroom, served, size == s.largest()), s.busy(ctx, client, headroom, served))
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
