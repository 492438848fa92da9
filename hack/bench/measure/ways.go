// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/webhook"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/headroom-dev/headroom/hack/bench/fleet"
	"github.com/headroom-dev/headroom/hack/bench/peer"
	"github.com/headroom-dev/headroom/hack/bench/result"
	"github.com/headroom-dev/headroom/hack/bench/review"
)

// prepare makes the nodes and Headroom's namespace and policy.
func (c *cluster) prepare(ctx context.Context) error {
	config, err := c.plane.RESTConfig()
	if err != nil {
		return err
	}
	if c.client, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: policy.Namespace}}
	if _, err := c.client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		return err
	}
	if err := declare(ctx, c.client); err != nil {
		return err
	}
	c.say("creating %d nodes", c.Nodes)
	nodes, failed := make(chan int), make(chan error, 8)
	var wait sync.WaitGroup
	for range cap(failed) {
		wait.Go(func() {
			var err error
			for i := range nodes {
				_, createErr := c.client.CoreV1().Nodes().Create(ctx, fleet.Of(c.Nodes, fleet.Roomy).Node(i), metav1.CreateOptions{})
				err = errors.Join(err, createErr)
			}
			failed <- err
		})
	}
	for i := range c.Nodes {
		nodes <- i
	}
	close(nodes)
	wait.Wait()
	close(failed)
	var all error
	for err := range failed {
		all = errors.Join(all, err)
	}
	return all
}

// enter makes one way of admission the one in force; leave undoes that, and removes the pods.
func (c *cluster) enter(ctx context.Context, way string) (leave func() error, err error) {
	undo := func() error { return nil }
	switch way {
	case result.WayNone:
	case result.WayVAP:
		undo, err = c.admitByPolicy(ctx)
	case result.WayWebhook:
		undo, err = c.admitByNoOp(ctx)
	case result.WayHeadroom:
		undo, err = c.admitByHeadroom(ctx)
	default:
		err = fmt.Errorf("no way of admission %q", way)
	}
	if err != nil {
		return nil, err
	}
	time.Sleep(settle)
	return func() error {
		err := undo()
		err = errors.Join(err, c.client.CoreV1().Pods(metav1.NamespaceDefault).DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))}, metav1.ListOptions{}))
		time.Sleep(settle)
		return err
	}, nil
}

func (c *cluster) admitByHeadroom(ctx context.Context) (undo func() error, err error) {
	if c.headroom, err = c.startHeadroom(ctx, c.program, c.plane.Kubeconfig, nil); err != nil {
		return nil, err
	}
	c.asked = &askedWebhook{webhook.PodsWebhookName, c.headroom.PID()}
	undo = func() error {
		c.headroom.Stop()
		c.headroom, c.asked = nil, nil
		return nil
	}
	if err := c.headroom.ready(ctx, 2*time.Minute); err != nil {
		return nil, errors.Join(err, undo())
	}
	return undo, nil
}

// admitByNoOp registers controller-runtime's webhook that admits at once, for the same requests as Headroom's.
func (c *cluster) admitByNoOp(ctx context.Context) (undo func() error, err error) {
	const name = "pods.noop.example.com"
	child, target, err := startPeerOn(ctx, nil, peer.ControllerRuntime, fleet.Of(1, fleet.Roomy))
	if err != nil {
		return nil, err
	}
	c.asked = &askedWebhook{name, child.PID()}
	configurations := c.client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	undo = func() error {
		c.asked = nil
		err := configurations.Delete(ctx, name, metav1.DeleteOptions{})
		child.Stop()
		return err
	}
	_, err = configurations.Create(ctx, &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: name, AdmissionReviewVersions: []string{"v1"}, SideEffects: new(admissionregistrationv1.SideEffectClassNone),
			FailurePolicy: new(admissionregistrationv1.Ignore), TimeoutSeconds: new(int32(5)),
			ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: &target.URL, CABundle: []byte(target.CA)},
			Rules:        []admissionregistrationv1.RuleWithOperations{podCreations()},
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		child.Stop()
		c.asked = nil
	}
	return undo, err
}

func podCreations() admissionregistrationv1.RuleWithOperations {
	return admissionregistrationv1.RuleWithOperations{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
		Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
	}
}

// looksAtPods is what CEL can say of a pod's images: the operator's table, without any node.
const looksAtPods = `object.spec.containers.map(c, c.image.startsWith('registry.example.com/models/') ? 40 : 1).sum() <= 100`

func (c *cluster) admitByPolicy(ctx context.Context) (undo func() error, err error) {
	const name = "bench-image-storage"
	policies, bindings := c.client.AdmissionregistrationV1().ValidatingAdmissionPolicies(), c.client.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings()
	_, err = policies.Create(ctx, &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			FailurePolicy: new(admissionregistrationv1.Fail),
			MatchConstraints: &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
				RuleWithOperations: podCreations(),
			}}},
			Validations: []admissionregistrationv1.Validation{{Expression: looksAtPods, Message: "image storage: too large"}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	_, err = bindings.Create(ctx, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		},
	}, metav1.CreateOptions{})
	return func() error {
		return errors.Join(bindings.Delete(ctx, name, metav1.DeleteOptions{}), policies.Delete(ctx, name, metav1.DeleteOptions{}))
	}, err
}

// creator returns what creates one pod after the other, each with a name of its own.
func (c *cluster) creator() func(context.Context) error {
	pods := review.Pods(fleet.Wanted())
	for _, pod := range pods {
		pod.ManagedFields, pod.OwnerReferences, pod.UID, pod.Status = nil, nil, "", corev1.PodStatus{}
		pod.Namespace, pod.Spec.ServiceAccountName, pod.Spec.DeprecatedServiceAccount = metav1.NamespaceDefault, "default", "default"
		// Room for all: what the scheduler does is not measured.
		for i := range pod.Spec.Containers {
			pod.Spec.Containers[i].Resources = corev1.ResourceRequirements{}
			if i > 0 || len(pod.Spec.InitContainers) > 0 {
				pod.Spec.Containers[i].Ports = nil // Of one that a pod has twice, the API server warns.
			}
		}
	}
	var number atomic.Int64
	return func(ctx context.Context) error {
		n := number.Add(1)
		pod := pods[n%int64(len(pods))].DeepCopy()
		pod.Name = fmt.Sprintf("bench-%d-%d", time.Now().UnixNano(), n)
		_, err := c.client.CoreV1().Pods(pod.Namespace).Create(ctx, pod, metav1.CreateOptions{})
		return err
	}
}
