// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
)

const (
	// ownersRemembered is of how many ReplicaSets and Jobs it is known who made them.
	ownersRemembered = 4096
	// ownerTimeout bounds one question, and ownerRetry is when one is asked again that could not be answered.
	ownerTimeout = 5 * time.Second
	ownerRetry   = 10 * time.Minute
)

// intermediates are the kinds that something else makes of its own template, so that people look at that and not at them.
var intermediates = map[schema.GroupKind]schema.GroupVersionResource{
	{Group: appsv1.GroupName, Kind: "ReplicaSet"}: appsv1.SchemeGroupVersion.WithResource("replicasets"), // of a Deployment, an Argo Rollout
	{Group: batchv1.GroupName, Kind: "Job"}:       batchv1.SchemeGroupVersion.WithResource("jobs"),       // of a CronJob, a JobSet
}

// owners finds the workload that people know. Not safe for concurrent use.
type owners struct {
	client  metadata.Interface
	now     func() time.Time
	log     logr.Logger
	known   *recent[ownerKey, ownerEntry]
	missing problem // of permissions
}

// ownerKey is all that a question is made of: whoever may create pods in a namespace can name any UID, also beside another name,
// and must not answer for others.
type ownerKey struct {
	namespace, apiVersion, kind, name string
	uid                               types.UID
}

// ownerEntry is what is known of one ReplicaSet or Job.
type ownerEntry struct {
	// controller is nil where nobody made it, or where that can't be found out.
	controller *metav1.OwnerReference
	// until is when it is asked about again; zero for never.
	until time.Time
}

func newOwners(client metadata.Interface, now func() time.Time, log logr.Logger) *owners {
	return &owners{client: client, now: now, log: log, known: newRecent[ownerKey, ownerEntry](ownersRemembered, nil)}
}

// of returns the object to tell, and false where there is none: a refused pod that nobody made never comes to be.
func (o *owners) of(ctx context.Context, n *Notice) (corev1.ObjectReference, bool) {
	switch {
	case !madeByAnother(n):
		return n.About, n.Exists || !n.Refused
	case isPod(&n.About):
		return o.top(ctx, n.About.Namespace, n.Controller), true
	default:
		return reference(n.About.Namespace, n.Controller), true
	}
}

// madeByAnother tells whether a notice concerns the controller of the object. Whoever debugs a pod is not who made it; and
// who made a Deployment, say an operator, has no pods of its own.
func madeByAnother(n *Notice) bool {
	return n.Controller != nil && !n.Debugged && (isPod(&n.About) || isIntermediate(n.About.APIVersion, n.About.Kind))
}

func isPod(ref *corev1.ObjectReference) bool { return groupKind(ref.APIVersion, ref.Kind) == podKind }

var podKind = schema.GroupKind{Kind: "Pod"}

// top climbs from a pod's controller to what made that, where it is an intermediate. What can't be found out leaves the
// controller: not where people look first, but better than nowhere.
func (o *owners) top(ctx context.Context, namespace string, direct *metav1.OwnerReference) corev1.ObjectReference {
	if isIntermediate(direct.APIVersion, direct.Kind) {
		if above := o.controllerOf(ctx, namespace, direct); above != nil {
			return reference(namespace, above)
		}
	}
	return reference(namespace, direct)
}

func (o *owners) controllerOf(ctx context.Context, namespace string, direct *metav1.OwnerReference) *metav1.OwnerReference {
	key := ownerKey{namespace, direct.APIVersion, direct.Kind, direct.Name, direct.UID}
	if entry, known := o.known.get(key); known && (entry.until.IsZero() || o.now().Before(entry.until)) {
		return entry.controller
	}
	found, err := o.ask(ctx, namespace, direct)
	entry := ownerEntry{controller: found}
	if err != nil {
		entry.until = o.now().Add(ownerRetry)
		o.report(err)
	}
	o.known.set(key, entry)
	return entry.controller
}

// ask reads the metadata of a ReplicaSet or Job, and nothing else of it. The name is one that objects can have (plausibleOwner):
// the client makes a path of it.
func (o *owners) ask(ctx context.Context, namespace string, direct *metav1.OwnerReference) (*metav1.OwnerReference, error) {
	ctx, cancel := context.WithTimeout(ctx, ownerTimeout)
	defer cancel()
	object, err := o.client.Resource(intermediates[groupKind(direct.APIVersion, direct.Kind)]).Namespace(namespace).Get(ctx, direct.Name, metav1.GetOptions{})
	switch {
	case err != nil:
		return nil, err
	case object.UID != direct.UID || object.Namespace != namespace:
		return nil, errors.New("another object of that name is there by now")
	default:
		return controllerOf(object), nil
	}
}

// report logs a missing permission, once: the rest is about single objects that come and go.
func (o *owners) report(err error) {
	if _, missing := MissingPermission(err); missing {
		if what, isNew := o.missing.occurred(err); isNew {
			o.log.Error(err, "Owner not found, Events go to what made the pods", "reason", what)
		}
		return
	}
	if !apierrors.IsNotFound(err) {
		o.log.V(1).Info("Owner not found, the Event goes to what made the pod", "reason", err.Error())
	}
}

func isIntermediate(apiVersion, kind string) bool {
	_, is := intermediates[groupKind(apiVersion, kind)]
	return is
}

func groupKind(apiVersion, kind string) schema.GroupKind {
	return schema.FromAPIVersionAndKind(apiVersion, kind).GroupKind()
}

// reference is to an owner, which is in the namespace of what it owns.
func reference(namespace string, owner *metav1.OwnerReference) corev1.ObjectReference {
	return corev1.ObjectReference{APIVersion: owner.APIVersion, Kind: owner.Kind, Namespace: namespace, Name: owner.Name, UID: owner.UID}
}

// directOwner identifies what a notice is about before anybody is asked. The UID of a pod that was refused says nothing: it
// is another one at each try.
func directOwner(n *Notice) string {
	switch {
	case madeByAnother(n):
		return string(n.Controller.UID)
	case n.About.UID != "" && (n.Exists || !n.Refused):
		return string(n.About.UID)
	default:
		return nameOf(&n.About)
	}
}

func nameOf(ref *corev1.ObjectReference) string {
	return ref.Kind + " " + ref.Namespace + "/" + ref.Name
}
