// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"net/http"

	"sigs.k8s.io/controller-runtime/pkg/healthz"
)

// readiness is what must hold before anybody is sent here, in a cluster by
// /readyz, out of it by registering only then: an empty ledger has no opinion, and
// as long as the policy or a namespace's label is not read, or nobody asked whether
// there is an autoscaler, pods are admitted that should not be.
func (p *parts) readiness() map[string]healthz.Checker {
	return map[string]healthz.Checker{
		"ledger": func(*http.Request) error {
			if !p.ledger.Snapshot().Synced() {
				return errors.New("the first lists of nodes and pods are not in the ledger yet")
			}
			return nil
		},
		"policy":     closed(p.policy.Synced(), "the policy has not been read yet"),
		"namespaces": closed(p.namespaces.Synced(), "the labels of namespaces have not been read yet"),
		"autoscaler": closed(p.autoscaler.Answered(), "whether there is a cluster-autoscaler has not been asked yet"),
		"webhook":    p.webhook.Check,
	}
}

// closed says what is not there yet until done is closed.
func closed(done <-chan struct{}, notYet string) healthz.Checker {
	return func(*http.Request) error {
		select {
		case <-done:
			return nil
		default:
			return errors.New(notYet)
		}
	}
}

// ready reports whether all of it holds.
func (p *parts) ready() bool {
	for _, check := range p.readiness() {
		if check(nil) != nil {
			return false
		}
	}
	return true
}
