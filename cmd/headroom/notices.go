// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/headroom-dev/headroom/controller"
	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/webhook"
)

// newNotices repeats what admission says on the owners of pods.
func newNotices(config *rest.Config, events controller.EventSink, log logr.Logger) (*controller.Notices, error) {
	client, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return controller.NewNotices(controller.NoticesOptions{
		Metadata: client, Events: events, Metrics: controller.NewNoticeMetrics(metrics.Registry), Log: log,
	}), nil
}

// tell hands what the webhook said to what repeats it: the two packages do not know each other.
func (p *parts) tell(n webhook.Notice) { p.notices.Take(noticeOf(&n)) }

func noticeOf(n *webhook.Notice) controller.Notice {
	return controller.Notice{
		About:      corev1.ObjectReference{APIVersion: n.APIVersion, Kind: n.Kind, Namespace: n.Namespace, Name: n.Name, UID: n.UID},
		Controller: n.Controller,
		Exists:     n.Operation != admissionv1.Create,
		Debugged:   n.SubResource == "ephemeralcontainers",
		Refused:    n.Action == fit.Deny,
		Verdict:    n.Verdict,
		Images:     n.Images,
		Message:    n.Message,
	}
}
