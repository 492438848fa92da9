// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/pager"

	"github.com/headroom-dev/headroom/controller"
	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
)

// liveOptions say how a one-shot command looks at a cluster.
type liveOptions struct {
	connection connection
	kubelets   kubeletOptions
	registries registryOptions
	// listed says that registries are asked for the layers of what nodes list, too.
	listed bool
	// events says that kubelets' events tell the sizes of images that no node lists.
	events bool
	// about says, once the policy is known, which images will be asked about, and in
	// which namespaces: registries are asked for the layers of the ones whose layers
	// are not known. Nil is for none.
	about func(*policy.Policy) (images []imageref.Ref, namespaces []string)
}

func (o *liveOptions) addFlags(flags *pflag.FlagSet) {
	o.connection.addFlags(flags)
	o.kubelets = newKubeletOptions()
	o.kubelets.via = kubeletViaAPIServer
	o.kubelets.addFlags(flags)
	o.registries = newRegistryOptions()
	o.registries.addFlags(flags)
}

// look builds once the same ledger that `headroom serve` keeps: it lists nodes and pods, reads the policy, asks every kubelet once, and
// registries for the sizes and layers of images. What could not be learned is written
// to notes, one line each; only a cluster whose nodes or pods can't be listed
// is an error.
func (o *liveOptions) look(ctx context.Context, notes io.Writer) (*moment, error) {
	if err := o.kubelets.validate(); err != nil {
		return nil, err
	}
	if err := o.registries.validate(); err != nil {
		return nil, err
	}
	config, err := o.connection.config()
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	l := ledger.New()
	nodes, err := listInto(ctx, client, l)
	if err != nil {
		return nil, plain(err)
	}
	l.SetAutoscaler(readAutoscaler(ctx, client, notes))
	l.MarkSynced()
	p := readPolicy(ctx, client, time.Now(), notes)
	var (
		images     []imageref.Ref
		namespaces []string
	)
	if o.about != nil {
		images, namespaces = o.about(p)
	}
	modes := readModeLabels(ctx, client, p, namespaces, notes)
	if err := o.askKubelets(ctx, config, client, nodes, l, notes); err != nil {
		return nil, err
	}
	if o.events {
		readPulled(ctx, client, l, notes)
	}
	if err := o.registries.resolve(ctx, l, p, images, notes); err != nil {
		return nil, err
	}
	if o.listed {
		if len(images) > 0 {
			notes = io.Discard // What those lack makes the answer about the others wider, no more.
		}
		if err := o.registries.resolveListed(ctx, l, p, notes); err != nil {
			return nil, err
		}
	}
	return &moment{snapshot: l.Snapshot(), policy: p, modes: modes, now: time.Now()}, nil
}

// listInto fills l page by page, so that a large cluster is never whole in memory.
func listInto(ctx context.Context, client kubernetes.Interface, l *ledger.Ledger) (nodes []*corev1.Node, err error) {
	now := time.Now()
	err = pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return client.CoreV1().Nodes().List(ctx, options)
	}).EachListItem(ctx, metav1.ListOptions{}, func(object runtime.Object) error {
		node := object.(*corev1.Node)
		l.SetNode(controller.NodeOf(node))
		nodes = append(nodes, node)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return nodes, pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, options)
	}).EachListItem(ctx, metav1.ListOptions{}, func(object runtime.Object) error {
		l.SetPod(controller.PodOf(object.(*corev1.Pod)), now)
		return nil
	})
}

func readPolicy(ctx context.Context, client kubernetes.Interface, now time.Time, notes io.Writer) *policy.Policy {
	configMap, err := client.CoreV1().ConfigMaps(policy.Namespace).Get(ctx, policy.ConfigMapName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return policy.Default()
	}
	if err != nil {
		fmt.Fprintf(notes, "note: the policy can't be read, the defaults are used: %v\n", plain(err))
		return policy.Default()
	}
	p, warnings, err := policy.LoadConfigMap(configMap.Data, false)
	for _, warning := range warnings {
		fmt.Fprintf(notes, "note: policy: %s\n", warning)
	}
	if err != nil {
		fmt.Fprintf(notes, "note: the policy is not valid, the defaults are used: %v\n", err)
		return policy.Default()
	}
	for _, note := range p.Notes(now) {
		fmt.Fprintf(notes, "note: policy: %s\n", note)
	}
	return p
}

// askKubelets takes one sample of every node, and notes which kubelets did not answer.
func (o *liveOptions) askKubelets(ctx context.Context, config *rest.Config, client kubernetes.Interface, nodes []*corev1.Node, l *ledger.Ledger, notes io.Writer) error {
	kubelets, err := o.kubelets.client(config, client)
	if err != nil || kubelets == nil {
		return err
	}
	failures := controller.SampleOnce(ctx, kubelets, nodes, l, o.kubelets.via == kubeletViaAPIServer, o.kubelets.concurrency)
	noteFailures(notes, failures)
	return nil
}

// noteFailures writes each reason once, with the nodes it holds for.
func noteFailures(notes io.Writer, failures map[string]error) {
	byText := map[string][]string{}
	for node, err := range failures {
		text := strings.TrimPrefix(err.Error(), fmt.Sprintf("node %q: ", node))
		byText[text] = append(byText[text], node)
	}
	for text, nodes := range byText {
		slices.Sort(nodes)
		shown := nodes[:min(3, len(nodes))]
		more := ""
		if len(nodes) > len(shown) {
			more = fmt.Sprintf(" and %d more", len(nodes)-len(shown))
		}
		fmt.Fprintf(notes, "note: not measured: %s%s: %s\n", strings.Join(shown, ", "), more, text)
	}
}

// plain turns an API error into one sentence: who needs what, or who does not answer.
func plain(err error) error {
	if sentence, missing := controller.MissingPermission(err); missing {
		return errors.New(sentence)
	}
	if failed, isURL := errors.AsType[*url.Error](err); isURL {
		return fmt.Errorf("the API server can't be reached: %w", failed.Err)
	}
	return err
}

// answers reports what keeps the API server from answering, nil for nothing.
func answers(ctx context.Context, client kubernetes.Interface) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	err := client.Discovery().RESTClient().Get().AbsPath("/version").Do(ctx).Error()
	if _, isStatus := errors.AsType[*apierrors.StatusError](err); isStatus {
		return nil // that is an answer
	}
	return err
}
