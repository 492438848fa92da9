// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package simnode

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"

	"github.com/headroom-dev/headroom/test/simnode/disk"
)

// registrations is how many nodes register at the same time.
const registrations = 32

// Fleet is a set of running simulated nodes.
type Fleet struct {
	nodes  []*Node
	byName map[string]*Node
	caPEM  []byte
	cancel context.CancelFunc
	// done ends with everything that Start began.
	done   sync.WaitGroup
	events record.EventBroadcaster
}

// Start registers the nodes and runs them until the context ends or Stop is
// called. It returns when all are Ready, or with the first thing that went wrong
// and nothing left running (Node objects that were made stay).
func Start(ctx context.Context, opts Options) (_ *Fleet, err error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	if opts.Images.Images == nil && opts.Images.Default == nil {
		opts.Images = DefaultCatalog()
	}
	if opts.Clock == nil {
		opts.Clock = clock.RealClock{}
	}
	client, err := opts.client()
	if err != nil {
		return nil, err
	}
	certificates, err := newCertificates(opts)
	if err != nil {
		return nil, err
	}
	addresses, err := newAddresses(opts.ListenAddress)
	if err != nil {
		return nil, err
	}

	f := &Fleet{byName: map[string]*Node{}, caPEM: certificates.caPEM}
	ctx, f.cancel = context.WithCancel(ctx)
	f.events = record.NewBroadcaster(record.WithContext(ctx))
	f.events.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: client.CoreV1().Events("")})
	defer func() {
		if err != nil {
			f.Stop()
		}
	}()

	reviews := newReviewer(client, opts.AuthCacheTTL, opts.Clock)
	for i, spec := range opts.Nodes {
		n, err := newNode(spec, opts, i, client)
		if err != nil {
			return nil, err
		}
		n.recorder = f.events.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "kubelet", Host: n.spec.Name})
		f.nodes = append(f.nodes, n)
		f.byName[n.spec.Name] = n
		if err := n.listen(addresses, opts.Port, certificates, reviews); err != nil {
			return nil, err
		}
	}
	if err := f.run(ctx, client); err != nil {
		return nil, err
	}
	return f, nil
}

// run registers the nodes and starts their loops.
func (f *Fleet) run(ctx context.Context, client kubernetes.Interface) error {
	for _, n := range f.nodes {
		f.done.Go(func() { n.serve(ctx) })
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(registrations)
	for _, n := range f.nodes {
		group.Go(func() error { return n.register(groupCtx) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := f.watchPods(ctx, client); err != nil {
		return err
	}
	for _, n := range f.nodes {
		f.done.Go(func() { n.run(ctx) })
	}
	return nil
}

func (o Options) client() (kubernetes.Interface, error) {
	if o.Client != nil {
		return o.Client, nil
	}
	config := rest.CopyConfig(o.Config)
	config.UserAgent = "headroom-simnode"
	config.QPS = -1 // a thousand kubelets have a thousand budgets
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("client for the API server: %w", err)
	}
	return client, nil
}

// watchPods starts the one informer for all bound pods and returns when every
// node knows its pods.
func (f *Fleet) watchPods(ctx context.Context, client kubernetes.Interface) error {
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0,
		informers.WithTweakListOptions(func(o *metav1.ListOptions) {
			o.FieldSelector = fields.OneTermNotEqualSelector("spec.nodeName", "").String()
		}),
		informers.WithTransform(func(object any) (any, error) {
			if pod, ok := object.(*corev1.Pod); ok {
				pod.ManagedFields = nil
			}
			return object, nil
		}))
	registration, err := factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { f.deliver(object, false) },
		UpdateFunc: func(_, object any) { f.deliver(object, false) },
		DeleteFunc: func(object any) { f.deliver(object, true) },
	})
	if err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	factory.StartWithContext(ctx)
	f.done.Go(func() {
		<-ctx.Done()
		factory.Shutdown()
	})
	if !cache.WaitForCacheSync(ctx.Done(), registration.HasSynced) {
		return fmt.Errorf("watch pods: %w", context.Cause(ctx))
	}
	return nil
}

func (f *Fleet) deliver(object any, gone bool) {
	if tombstone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = tombstone.Obj
	}
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return
	}
	if n := f.byName[pod.Spec.NodeName]; n != nil {
		n.deliver(pod, gone)
	}
}

// Stop ends all nodes and waits until nothing of them runs any more. The Node
// objects stay, and become NotReady once their leases are old.
func (f *Fleet) Stop() {
	f.cancel()
	for _, n := range f.nodes {
		n.close()
	}
	f.done.Wait()
	f.events.Shutdown()
}

// CAPEM is the certificate of the CA that signed the nodes' serving
// certificates; empty when they are self-signed.
func (f *Fleet) CAPEM() []byte { return f.caPEM }

// Nodes returns the nodes in the order of the options.
func (f *Fleet) Nodes() []*Node { return f.nodes }

// Node returns a node by name, or nil.
func (f *Fleet) Node(name string) *Node { return f.byName[name] }

// SetImage changes what the registry holds under a name, for all nodes.
func (f *Fleet) SetImage(name string, img disk.Image) error {
	var errs []error
	for _, n := range f.nodes {
		n.Do(func(engine *disk.Node, _ time.Time) []disk.Event {
			errs = append(errs, engine.SetImage(name, img))
			return nil
		})
	}
	return errors.Join(errs...)
}
