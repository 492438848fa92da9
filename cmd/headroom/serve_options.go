// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/spf13/pflag"

	"github.com/headroom-dev/headroom/controller"
	"github.com/headroom-dev/headroom/webhook/registration"
)

// serveOptions are the settings of one process. What is decided about pods is
// in the policy; what the process connects to, listens on and logs is here.
type serveOptions struct {
	connection connection
	kubelets   kubeletOptions
	registries registryOptions
	logs       logOptions

	webhookAddress string
	webhookURL     string
	// registered is webhookURL with the path that reviews are posted to; nil when a Service is served.
	registered        *url.URL
	certFile, keyFile string
	healthAddress     string
	metricsAddress    string
	pprofAddress      string
	nodeMetrics       bool
	leaderElect       bool
	record            string

	kubeletInterval, kubeletPendingInterval time.Duration
	pulledEvents                            bool
	resyncPeriod, syncTimeout               time.Duration
	sizeWait                                time.Duration
	sizeWaiters                             int
	shutdownDelay, recordDelay              time.Duration
	gcPercent                               int
}

func newServeOptions() *serveOptions {
	return &serveOptions{
		kubelets: newKubeletOptions(), registries: newRegistryOptions(),
		webhookAddress: ":9443", healthAddress: ":8081", metricsAddress: ":8080", pprofAddress: "0", nodeMetrics: true, leaderElect: true,
		kubeletInterval: 30 * time.Second, kubeletPendingInterval: 10 * time.Second, pulledEvents: true,
		resyncPeriod: 10 * time.Hour, syncTimeout: 2 * time.Minute,
		sizeWait: 500 * time.Millisecond, sizeWaiters: 64,
		shutdownDelay: 5 * time.Second, recordDelay: 3 * time.Second,
		gcPercent: controller.DefaultGarbagePercent,
	}
}

func (o *serveOptions) addFlags(flags *pflag.FlagSet) {
	o.connection.addFlags(flags)
	o.kubelets.addFlags(flags)
	flags.DurationVar(&o.kubeletInterval, "kubelet-interval", o.kubeletInterval, "Time between two samples of a disk that is near one of its lines. Others are asked for as seldom as the policy's maxStaleness allows.")
	flags.DurationVar(&o.kubeletPendingInterval, "kubelet-pending-interval", o.kubeletPendingInterval, "The same while images are pulled there.")
	flags.BoolVar(&o.pulledEvents, "pulled-events", o.pulledEvents, "Whether kubelets' events about pulls are watched: they tell the size of images that a node's list leaves out. Needs list and watch on events.")
	o.registries.addFlags(flags)
	flags.DurationVar(&o.sizeWait, "size-wait", o.sizeWait, "Longest wait, in mode Enforce, for the size of an image that nobody has seen yet, if it could change the answer. 0 never waits.")
	flags.IntVar(&o.sizeWaiters, "size-waiters", o.sizeWaiters, "How many requests may wait so at a time; further ones don't.")
	flags.DurationVar(&o.resyncPeriod, "resync-period", o.resyncPeriod, "How often every node known is written to the ledger again. Of pods there is but one copy. 0 never.")
	flags.DurationVar(&o.syncTimeout, "sync-timeout", o.syncTimeout, "Longest wait for the first lists of nodes and pods; then the process ends.")
	flags.StringVar(&o.webhookAddress, "webhook-address", o.webhookAddress, "Address that the webhook listens on. With --webhook-url its host and port are used.")
	flags.StringVar(&o.webhookURL, "webhook-url", "", "Register the webhook by this URL, such as https://127.0.0.1:9443, for the time this process runs. For running out of the cluster; empty serves the Service headroom.")
	flags.StringVar(&o.certFile, "tls-cert-file", "", "Serving certificate, such as cert-manager's. Empty means that headroom makes and renews its own.")
	flags.StringVar(&o.keyFile, "tls-key-file", "", "Key of --tls-cert-file.")
	flags.StringVar(&o.healthAddress, "health-address", o.healthAddress, `Address of /healthz and /readyz. "0" switches them off.`)
	flags.StringVar(&o.metricsAddress, "metrics-address", o.metricsAddress, `Address of /metrics. "0" switches it off.`)
	flags.StringVar(&o.pprofAddress, "pprof-address", o.pprofAddress, `Address of /debug/pprof/, such as 127.0.0.1:6060: profiles of this process for go tool pprof. Nobody who reaches it is asked who they are, and it shows names out of the cluster: give it a loopback address, and use kubectl port-forward. "0" switches it off.`)
	flags.BoolVar(&o.nodeMetrics, "node-metrics", o.nodeMetrics, "Whether /metrics has gauges with a series for each node.")
	flags.BoolVar(&o.leaderElect, "leader-elect", o.leaderElect, "Whether replicas agree on one, by a Lease in headroom-system, that takes soft taints from nodes again. Without, each replica does so. All else is done by every replica.")
	flags.StringVar(&o.record, "record", "", "Folder that gets a file for each review that something was said to, a warning, a refusal or a sentence in the audit log, with all that was known: headroom check replays it. For debugging: the files hold the request, and the names and images of all pods. Ends at 1 GiB. Empty records nothing.")
	flags.DurationVar(&o.recordDelay, "record-delay", o.recordDelay, "How long no review may come before recordings are written, so that a burst of reviews has the processors for itself. A process that is killed loses what is not written. 0 writes at once.")
	flags.DurationVar(&o.shutdownDelay, "shutdown-delay", o.shutdownDelay, "After SIGTERM, how long requests are still taken: API servers need a moment to learn that this replica goes away.")
	flags.IntVar(&o.gcPercent, "gc-percent", o.gcPercent, "How much garbage there may be before it is collected, in percent of the memory that is in use, where both come to more than 208 MiB. Below, there may be as much as is in use, or 64 MiB, and more until the first lists are in. The environment variable GOGC wins over this.")
	o.logs.addFlags(flags)
}

// complete derives what follows from other options. It must come before validate.
func (o *serveOptions) complete() error {
	if o.webhookURL == "" {
		return nil
	}
	target, err := registration.Target(o.webhookURL)
	if err != nil {
		return err
	}
	o.registered = target
	port := target.Port()
	if port == "" {
		port = "443"
	}
	o.webhookAddress = net.JoinHostPort(target.Hostname(), port)
	return nil
}

// validate reports every mistake at once, each naming its flag.
func (o *serveOptions) validate() error {
	errs := []error{o.kubelets.validate(), o.registries.validate(), o.logs.validate()}
	for _, d := range []struct {
		flag     string
		value    time.Duration
		positive bool
	}{
		{"--kubelet-interval", o.kubeletInterval, true},
		{"--kubelet-pending-interval", o.kubeletPendingInterval, true},
		{"--sync-timeout", o.syncTimeout, true},
		{"--resync-period", o.resyncPeriod, false},
		{"--size-wait", o.sizeWait, false},
		{"--shutdown-delay", o.shutdownDelay, false},
		{"--record-delay", o.recordDelay, false},
	} {
		if d.positive && d.value <= 0 {
			errs = append(errs, fmt.Errorf("%s: must be positive, got %v", d.flag, d.value))
		}
		if !d.positive && d.value < 0 {
			errs = append(errs, fmt.Errorf("%s: must not be negative, got %v", d.flag, d.value))
		}
	}
	if o.sizeWaiters < 1 {
		errs = append(errs, fmt.Errorf("--size-waiters: must be 1 or more, got %d", o.sizeWaiters))
	}
	if o.gcPercent < 1 {
		errs = append(errs, fmt.Errorf("--gc-percent: must be 1 or more, got %d", o.gcPercent))
	}
	if (o.certFile == "") != (o.keyFile == "") {
		errs = append(errs, errors.New("--tls-cert-file and --tls-key-file: name both or neither"))
	}
	for _, a := range []struct{ flag, value string }{
		{"--webhook-address", o.webhookAddress},
		{"--health-address", o.healthAddress},
		{"--metrics-address", o.metricsAddress},
		{"--pprof-address", o.pprofAddress},
	} {
		if err := validAddress(a.value); err != nil && (a.value != "0" || a.flag == "--webhook-address") {
			errs = append(errs, fmt.Errorf("%s: must be HOST:PORT or :PORT, got %q", a.flag, a.value))
		}
	}
	return errors.Join(errs...)
}

func validAddress(address string) error {
	_, _, err := net.SplitHostPort(address)
	return err
}

// portsFree says which address is taken before anything is started: once the
// process has registered itself, ending half-way would leave traces.
func (o *serveOptions) portsFree() error {
	var errs []error
	for _, a := range []struct{ flag, address string }{
		{"--health-address", o.healthAddress},
		{"--metrics-address", o.metricsAddress},
		{"--pprof-address", o.pprofAddress},
		{"--webhook-address", o.webhookAddress},
	} {
		if a.address == "0" {
			continue
		}
		listener, err := net.Listen("tcp", a.address)
		if err != nil {
			flag := a.flag
			if flag == "--webhook-address" && o.registered != nil {
				flag = "--webhook-url"
			}
			errs = append(errs, fmt.Errorf("%s: can't listen on %s: %w; choose another port", flag, a.address, errors.Unwrap(err)))
			continue
		}
		errs = append(errs, listener.Close())
	}
	return errors.Join(errs...)
}
