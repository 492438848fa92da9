// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package synthapi

import (
	"net/http"
	"strconv"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/uuid"
)

// Put stores an object of a resource, in the place of one with its name: nodes and pods, too. Its resource version is given.
func (s *Server) Put(resource string, o Object) {
	c := s.world.collections[resource]
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	c.put(o.GetNamespace(), o.GetName(), encoder(o))
}

// Delete removes an object, and reports whether it was there.
func (s *Server) Delete(resource, namespace, name string) bool {
	c := s.world.collections[resource]
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	return c.remove(namespace, name, c.lastOf)
}

// Each calls f for every object of a resource, in protobuf with its envelope, as a LIST would return it now, until f returns
// an error, which it returns.
func (s *Server) Each(resource string, f func(namespace, name string, encoded []byte) error) (err error) {
	c := s.world.collections[resource]
	c.listed(0, false).each(0, func(i item) bool {
		namespace, name := c.keyOf(&i)
		err = f(namespace, name, c.appendWhole(nil, &i))
		return err == nil
	})
	return err
}

func encoder(o Object) func(version uint64) []byte {
	return func(version uint64) []byte {
		o.SetResourceVersion(strconv.FormatUint(version, 10))
		encoded, err := o.Marshal()
		if err != nil {
			panic(err) // what was decoded can be encoded
		}
		return encoded
	}
}

// lastOf is an object with the version of its deletion.
func (c *collection) lastOf(object stored, version uint64) []byte {
	o, err := c.decoded(&item{index: -1, own: object})
	if err != nil {
		panic(err) // it was encoded by Put
	}
	return encoder(o)(version)
}

func (s *Server) addNamespaces() {
	for _, name := range append([]string{"default", "kube-public", "kube-node-lease", "headroom-system"}, s.Fleet.Namespaces()...) {
		s.Put("namespaces", &corev1.Namespace{
			ObjectMeta: metav1.ObjectMeta{Name: name, UID: uuid.NewUUID(), CreationTimestamp: metav1.Unix(0, 0)},
			Status:     corev1.NamespaceStatus{Phase: corev1.NamespaceActive},
		})
	}
}

func (s *Server) get(w http.ResponseWriter, r *http.Request, c *collection) {
	s.world.mu.Lock()
	found, there := c.find(r.PathValue("namespace"), r.PathValue("name"))
	s.world.mu.Unlock()
	if !there {
		refuse(w, apierrors.NewNotFound(c.groupResource(), r.PathValue("name")))
		return
	}
	c.write(w, r, http.StatusOK, &found)
}

func (s *Server) create(w http.ResponseWriter, r *http.Request, c *collection) {
	o, err := c.newObject()
	if err == nil {
		err = read(r, o)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	if o.GetName() == "" && o.GetGenerateName() != "" {
		o.SetName(o.GetGenerateName() + rand.String(5))
	}
	o.SetNamespace(r.PathValue("namespace"))
	o.SetUID(uuid.NewUUID())
	o.SetCreationTimestamp(metav1.Now())
	s.world.mu.Lock()
	_, there := c.find(o.GetNamespace(), o.GetName())
	var made stored
	if !there {
		made = c.put(o.GetNamespace(), o.GetName(), encoder(o))
	}
	s.world.mu.Unlock()
	switch {
	case there:
		refuse(w, apierrors.NewAlreadyExists(c.groupResource(), o.GetName()))
	default:
		c.write(w, r, http.StatusCreated, &item{index: -1, own: made})
	}
}

func (s *Server) update(w http.ResponseWriter, r *http.Request, c *collection) {
	o, err := c.newObject()
	if err == nil {
		err = read(r, o)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	namespace, name := r.PathValue("namespace"), r.PathValue("name")
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	found, there := c.find(namespace, name)
	switch {
	case !there:
		refuse(w, apierrors.NewNotFound(c.groupResource(), name))
	case o.GetResourceVersion() != "" && o.GetResourceVersion() != strconv.FormatUint(found.version(), 10):
		refuse(w, apierrors.NewConflict(c.groupResource(), name, errModified))
	default:
		c.write(w, r, http.StatusOK, &item{index: -1, own: c.put(namespace, name, encoder(o))})
	}
}

func (s *Server) delete(w http.ResponseWriter, r *http.Request, c *collection) {
	namespace, name := r.PathValue("namespace"), r.PathValue("name")
	var options metav1.DeleteOptions
	if r.ContentLength != 0 {
		if err := read(r, &options); err != nil {
			refuse(w, err)
			return
		}
	}
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	found, there := c.find(namespace, name)
	if !there {
		refuse(w, apierrors.NewNotFound(c.groupResource(), name))
		return
	}
	if p := options.Preconditions; p != nil && p.ResourceVersion != nil && *p.ResourceVersion != strconv.FormatUint(found.version(), 10) {
		refuse(w, apierrors.NewConflict(c.groupResource(), name, errModified))
		return
	}
	c.remove(namespace, name, c.lastOf)
	answer(w, http.StatusOK, metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusSuccess})
}

// reviewed answers that everything is allowed.
func (s *Server) reviewed(w http.ResponseWriter, r *http.Request) {
	var review authorizationv1.SelfSubjectAccessReview
	if err := read(r, &review); err != nil {
		refuse(w, err)
		return
	}
	review.TypeMeta = metav1.TypeMeta{Kind: "SelfSubjectAccessReview", APIVersion: authorizationv1.SchemeGroupVersion.String()}
	review.Status = authorizationv1.SubjectAccessReviewStatus{Allowed: true}
	answer(w, http.StatusCreated, &review)
}

// issued is a token that nobody checks, as long as a ServiceAccount's: every kubelet that is asked is sent one.
var issued = strings.Repeat("synthapi", 900/8)

// issue answers with a token.
func (s *Server) issue(w http.ResponseWriter, r *http.Request) {
	var request authenticationv1.TokenRequest
	if err := read(r, &request); err != nil {
		refuse(w, err)
		return
	}
	request.TypeMeta = metav1.TypeMeta{Kind: "TokenRequest", APIVersion: authenticationv1.SchemeGroupVersion.String()}
	const hour = 3600
	request.Status = authenticationv1.TokenRequestStatus{Token: issued, ExpirationTimestamp: metav1.Unix(metav1.Now().Unix()+hour, 0)}
	answer(w, http.StatusCreated, &request)
}
