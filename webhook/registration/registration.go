// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package registration registers the webhooks by URL for as long as a process runs outside of the cluster, and removes that
// registration when it ends.
//
// It is for debugging: in a cluster, the manifests hold the configuration, and nothing here runs.
package registration

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/go-logr/logr"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	typedadmission "k8s.io/client-go/kubernetes/typed/admissionregistration/v1"
	"k8s.io/client-go/util/retry"

	"github.com/headroom-dev/headroom/webhook"
)

const (
	// ConfigurationName names the configuration of a process outside of the cluster.
	ConfigurationName = "headroom-out-of-cluster"
	// ownerAnnotation tells the processes apart that register under the one name.
	ownerAnnotation = "headroom.dev/registered-by"
	// removeTimeout bounds the removal: it happens when a process ends, and must not keep it from ending.
	removeTimeout = 5 * time.Second
)

// Registration is a webhook configuration that this process made.
type Registration struct {
	client typedadmission.ValidatingWebhookConfigurationInterface
	owner  string
}

// Register makes the configuration ConfigurationName, or takes over one that an earlier process left behind. target is the
// URL below which the API server posts, see Target; caPEM verifies it.
func Register(ctx context.Context, client kubernetes.Interface, target *url.URL, caPEM []byte) (*Registration, error) {
	r := &Registration{
		client: client.AdmissionregistrationV1().ValidatingWebhookConfigurations(),
		owner:  rand.Text(),
	}
	wanted := &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{
			Name:        ConfigurationName,
			Labels:      map[string]string{"app.kubernetes.io/name": "headroom"},
			Annotations: map[string]string{ownerAnnotation: r.owner},
		},
		Webhooks: webhook.Webhooks(func(path string) admissionregistrationv1.WebhookClientConfig {
			return admissionregistrationv1.WebhookClientConfig{URL: new(target.JoinPath(path).String()), CABundle: caPEM}
		}),
	}
	_, err := r.client.Create(ctx, wanted, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
			left, err := r.client.Get(ctx, ConfigurationName, metav1.GetOptions{})
			if err != nil {
				return err
			}
			wanted.ResourceVersion = left.ResourceVersion
			_, err = r.client.Update(ctx, wanted, metav1.UpdateOptions{})
			return err
		})
	}
	if ctx.Err() != nil {
		// The request may have arrived although its answer did not.
		return nil, errors.Join(ctx.Err(), r.Remove())
	}
	if err != nil {
		return nil, fmt.Errorf("register the webhooks as ValidatingWebhookConfiguration %q: %w", ConfigurationName, err)
	}
	return r, nil
}

// Remove deletes the configuration, unless another process has taken it over. It has a time limit of its own: it is called
// when everything else has been told to end.
func (r *Registration) Remove() error {
	ctx, cancel := context.WithTimeout(context.Background(), removeTimeout)
	defer cancel()
	// A delete that looks at the version is what makes the check of the owner mean something; the caBundle may have
	// just been written.
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		present, err := r.client.Get(ctx, ConfigurationName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if present.Annotations[ownerAnnotation] != r.owner {
			return nil
		}
		return r.client.Delete(ctx, ConfigurationName, metav1.DeleteOptions{
			Preconditions: &metav1.Preconditions{UID: &present.UID, ResourceVersion: &present.ResourceVersion},
		})
	})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("remove ValidatingWebhookConfiguration %q: %w: delete it by hand", ConfigurationName, err)
	}
	return nil
}

// Process is registered while it runs.
type Process struct {
	// Client is for the API server.
	Client kubernetes.Interface
	// Target is the URL to register, see the function Target.
	Target *url.URL
	// CA returns the CA in PEM form, and may wait for it. See certificate.WaitForCA.
	CA func(context.Context) ([]byte, error)
	// Log gets the registration and its removal.
	Log logr.Logger
}

// Start registers, waits for ctx to be done, and removes the registration. It has the form of a controller-runtime Runnable.
func (p *Process) Start(ctx context.Context) error {
	ca, err := p.CA(ctx)
	if ctx.Err() != nil {
		return nil //nolint:nilerr // an end that was asked for is none of the CA's errors
	}
	if err != nil {
		return err
	}
	r, err := Register(ctx, p.Client, p.Target, ca)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	if err != nil {
		return err
	}
	p.Log.Info("Registered the webhooks", "configuration", ConfigurationName, "url", p.Target.Redacted())
	<-ctx.Done()
	if err := r.Remove(); err != nil {
		return err
	}
	p.Log.Info("Removed the webhooks' registration", "configuration", ConfigurationName)
	return nil
}
