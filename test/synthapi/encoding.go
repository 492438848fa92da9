// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package synthapi

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
)

// Object is what client-go's typed objects are.
type Object interface {
	runtime.Object
	metav1.Object
	Marshal() ([]byte, error)
	Unmarshal([]byte) error
}

// newObject is an empty one of a resource's kind.
func (r *resource) newObject() (Object, error) {
	made, err := scheme.Scheme.New(r.gvk())
	if err != nil {
		return nil, err
	}
	typed, is := made.(Object)
	if !is {
		return nil, fmt.Errorf("%s is no object of its own", r.kind)
	}
	return typed, nil
}

// decoded is an item as a Go object, with its kind.
func (c *collection) decoded(i *item) (Object, error) {
	o, err := c.newObject()
	if err != nil {
		return nil, err
	}
	if err := o.Unmarshal(c.appendObject(nil, i)); err != nil {
		return nil, err
	}
	o.GetObjectKind().SetGroupVersionKind(c.gvk())
	return o, nil
}

// appendJSON adds an object in JSON, with its kind or, as in a list, without.
func (c *collection) appendJSON(b []byte, i *item, inList bool) ([]byte, error) {
	o, err := c.decoded(i)
	if err != nil {
		return nil, err
	}
	if inList {
		o.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
	}
	encoded, err := json.Marshal(o)
	return append(b, encoded...), err
}

// wantsProtobuf reports whether a client takes protobuf.
func wantsProtobuf(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), runtime.ContentTypeProtobuf)
}

// read decodes the object in a request's body into o, whatever it is encoded in.
func read(r *http.Request, o runtime.Object) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, 8<<20))
	if err != nil {
		return err
	}
	if _, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, o); err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	return nil
}

// answer writes one object that is none of a collection.
func answer(w http.ResponseWriter, code int, o any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(o) // the client is gone then
}

// write answers with an object of the collection.
func (c *collection) write(w http.ResponseWriter, r *http.Request, code int, i *item) {
	if wantsProtobuf(r) {
		w.Header().Set("Content-Type", runtime.ContentTypeProtobuf)
		w.WriteHeader(code)
		_, _ = w.Write(c.appendWhole(nil, i)) //nolint:gosec // protobuf is no HTML; the client is gone then
		return
	}
	encoded, err := c.appendJSON(nil, i, false)
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(encoded) //nolint:gosec // JSON is no HTML; the client is gone then
}
