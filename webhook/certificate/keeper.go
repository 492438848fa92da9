// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
)

const (
	// checkInterval bounds how long a drift can last should an event be lost.
	checkInterval = 15 * time.Second
	// retryDelay is the time between a write that failed and the next.
	retryDelay = 2 * time.Second
	// settle is what the API servers get to notice a new bundle before a certificate that needs it is served.
	settle = 2 * time.Second
)

// Keeper keeps the caBundle of one ValidatingWebhookConfiguration equal to the CA in our Secret, through rotations and
// against whoever changes it. It patches that one object by name and never makes one: what an admin deleted stays deleted.
//
// It runs on every replica, without a leader: all replicas compute the same bundle from the same two objects, a bundle that
// is right is not written, and of two that write at the same time one gets a conflict and finds nothing left to do.
type Keeper struct {
	// Client is for the API server.
	Client kubernetes.Interface
	// Configuration is the name of the configuration.
	Configuration string
	// SecretNamespace is the namespace of the Secret SecretName.
	SecretNamespace string
	// Log gets every write and every failure.
	Log logr.Logger
	// Clock is the real one if nil.
	Clock clock.PassiveClock

	inPlace atomic.Pointer[inPlace]
}

// inPlace is what the API server's configuration was last seen to be.
type inPlace struct {
	// absent: there is no configuration, or others keep its bundle. Nobody is to be waited for.
	absent bool
	bundle []byte
	pool   *x509.CertPool
	since  time.Time
}

func (k *Keeper) now() time.Time {
	if k.Clock == nil {
		return clock.RealClock{}.Now()
	}
	return k.Clock.Now()
}

// Trusts reports whether the API server verifies this certificate by now: whether the bundle in place has its CA, and has
// had for long enough to be noticed.
func (k *Keeper) Trusts(cert *x509.Certificate) bool {
	p := k.inPlace.Load()
	if p == nil {
		return false
	}
	if p.absent {
		return true
	}
	_, err := cert.Verify(x509.VerifyOptions{Roots: p.pool})
	return err == nil && k.now().Sub(p.since) >= settle
}

// Start keeps the bundle until ctx is done. It has the form of a controller-runtime Runnable.
func (k *Keeper) Start(ctx context.Context) error {
	only := func(name string) informers.SharedInformerOption {
		return informers.WithTweakListOptions(func(o *metav1.ListOptions) {
			o.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
		})
	}
	secrets := informers.NewSharedInformerFactoryWithOptions(k.Client, 0, informers.WithNamespace(k.SecretNamespace), only(SecretName))
	configurations := informers.NewSharedInformerFactoryWithOptions(k.Client, 0, only(k.Configuration))
	changed := make(chan struct{}, 1)
	for _, informer := range []cache.SharedIndexInformer{
		secrets.Core().V1().Secrets().Informer(),
		configurations.Admissionregistration().V1().ValidatingWebhookConfigurations().Informer(),
	} {
		if _, err := informer.AddEventHandler(notify(changed)); err != nil {
			return fmt.Errorf("watch for changes of the caBundle: %w", err)
		}
	}
	secretLister := secrets.Core().V1().Secrets().Lister().Secrets(k.SecretNamespace)
	configurationLister := configurations.Admissionregistration().V1().ValidatingWebhookConfigurations().Lister()
	for _, factory := range []informers.SharedInformerFactory{secrets, configurations} {
		defer factory.Shutdown()
		factory.Start(ctx.Done())
	}
	for _, factory := range []informers.SharedInformerFactory{secrets, configurations} {
		factory.WaitForCacheSync(ctx.Done())
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-timer.C:
		}
		next := checkInterval
		if err := k.keep(ctx, secretLister.Get, configurationLister.Get, k.now()); err != nil && ctx.Err() == nil {
			k.Log.Error(err, "Webhook configuration was not updated", "configuration", k.Configuration)
			next = retryDelay
		}
		timer.Reset(next)
	}
}

// keep does what is to be done now. The getters read from caches.
func (k *Keeper) keep(ctx context.Context, secret func(string) (*corev1.Secret, error),
	configuration func(string) (*admissionregistrationv1.ValidatingWebhookConfiguration, error), now time.Time,
) error {
	c, err := configuration(k.Configuration)
	if apierrors.IsNotFound(err) || (err == nil && injected(c)) {
		k.inPlace.Store(&inPlace{absent: true})
		return nil
	}
	if err != nil {
		return fmt.Errorf("get ValidatingWebhookConfiguration %q: %w", k.Configuration, err)
	}
	s, err := secret(SecretName)
	if apierrors.IsNotFound(err) {
		return nil // the authority is about to make it
	}
	if err != nil {
		return fmt.Errorf("get Secret %q: %w", SecretName, err)
	}
	patch, bundle, err := patchOf(c, s.Data[caKey], now)
	if err != nil {
		return fmt.Errorf("secret %q in namespace %q: %w", SecretName, k.SecretNamespace, err)
	}
	if patch == nil {
		k.note(bundle, now)
		return nil
	}
	_, err = k.Client.AdmissionregistrationV1().ValidatingWebhookConfigurations().
		Patch(ctx, c.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{FieldManager: "headroom"})
	switch {
	case apierrors.IsConflict(err), apierrors.IsNotFound(err):
		return nil // somebody else was faster: the watch tells, and the next round decides
	case err != nil:
		return fmt.Errorf("patch ValidatingWebhookConfiguration %q: %w", c.Name, err)
	}
	k.Log.Info("Updated the CA of the webhook configuration", "configuration", c.Name, "certificates", bytes.Count(bundle, []byte("BEGIN CERTIFICATE")))
	return nil
}

// note remembers that bundle is in place, and since when.
func (k *Keeper) note(bundle []byte, now time.Time) {
	if p := k.inPlace.Load(); p != nil && !p.absent && bytes.Equal(p.bundle, bundle) {
		return
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(bundle)
	k.inPlace.Store(&inPlace{bundle: bundle, pool: pool, since: now})
}

// patchOf returns the patch that puts the right bundle into every webhook of c, nil if it is there, and the bundle. The
// resource version makes it fail rather than overwrite what changed in between.
func patchOf(c *admissionregistrationv1.ValidatingWebhookConfiguration, secretCA []byte, now time.Time) (patch, bundle []byte, err error) {
	var present []byte
	for i := range c.Webhooks {
		present = append(append(present, c.Webhooks[i].ClientConfig.CABundle...), '\n')
	}
	if bundle, err = bundleOf(present, secretCA, now); err != nil {
		return nil, nil, err
	}
	type clientConfig struct {
		CABundle []byte `json:"caBundle"`
	}
	type entry struct {
		Name         string       `json:"name"`
		ClientConfig clientConfig `json:"clientConfig"`
	}
	var entries []entry
	for i := range c.Webhooks {
		if w := &c.Webhooks[i]; !bytes.Equal(w.ClientConfig.CABundle, bundle) {
			entries = append(entries, entry{Name: w.Name, ClientConfig: clientConfig{CABundle: bundle}})
		}
	}
	if len(entries) == 0 {
		return nil, bundle, nil
	}
	patch, err = json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": c.UID, "resourceVersion": c.ResourceVersion},
		"webhooks": entries,
	})
	if err != nil {
		return nil, nil, errors.Join(errors.New("encode the patch"), err)
	}
	return patch, bundle, nil
}

// injected reports whether cert-manager's CA injector keeps the bundle: two writers would take turns for ever.
func injected(c *admissionregistrationv1.ValidatingWebhookConfiguration) bool {
	for _, key := range []string{"cert-manager.io/inject-ca-from", "cert-manager.io/inject-ca-from-secret", "cert-manager.io/inject-apiserver-ca"} {
		if c.Annotations[key] != "" {
			return true
		}
	}
	return false
}

func notify(changed chan<- struct{}) cache.ResourceEventHandler {
	signal := func() {
		select {
		case changed <- struct{}{}:
		default: // a round is due already
		}
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { signal() },
		UpdateFunc: func(any, any) { signal() },
		DeleteFunc: func(any) { signal() },
	}
}
