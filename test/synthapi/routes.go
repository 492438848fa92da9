// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package synthapi

import (
	"io"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"
)

// handler answers everything: what is not known is 404, as at any API server.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	for _, path := range []string{"/healthz", "/livez", "/readyz"} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	}
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, version.Info{Major: "1", Minor: "37", GitVersion: "v1.37.2-synthapi", Platform: "linux/amd64"})
	})
	mux.HandleFunc("GET /api", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions", APIVersion: "v1"}, Versions: []string{"v1"}})
	})
	mux.HandleFunc("GET /apis", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, apiGroups()) })
	versions := map[schema.GroupVersion]bool{}
	for i := range served {
		r := &served[i]
		prefix := "/apis/" + r.apiVersion()
		if r.Group == "" {
			prefix = "/api/" + r.Version
		}
		if !versions[r.GroupVersion] {
			versions[r.GroupVersion] = true
			mux.HandleFunc("GET "+prefix, func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, apiResources(r.GroupVersion)) })
		}
		s.route(mux, prefix, s.world.collections[r.name])
	}
	s.control(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, apierrors.NewGenericServerResponse(http.StatusNotFound, r.Method, schema.GroupResource{}, "", "the server could not find the requested resource: "+r.URL.Path, 0, true))
	})
	return mux
}

// route serves one resource below a prefix.
func (s *Server) route(mux *http.ServeMux, prefix string, c *collection) {
	if c.reviewOnly {
		mux.HandleFunc("POST "+prefix+"/"+c.name, s.reviewed)
		return
	}
	all := prefix + "/" + c.name
	mux.HandleFunc("GET "+all, func(w http.ResponseWriter, r *http.Request) { s.several(w, r, c) })
	if c.namespaced {
		all = prefix + "/namespaces/{namespace}/" + c.name
		mux.HandleFunc("GET "+all, func(w http.ResponseWriter, r *http.Request) { s.several(w, r, c) })
	}
	mux.HandleFunc("POST "+all, func(w http.ResponseWriter, r *http.Request) { s.create(w, r, c) })
	one := all + "/{name}"
	mux.HandleFunc("GET "+one, func(w http.ResponseWriter, r *http.Request) { s.get(w, r, c) })
	mux.HandleFunc("PUT "+one, func(w http.ResponseWriter, r *http.Request) { s.update(w, r, c) })
	mux.HandleFunc("DELETE "+one, func(w http.ResponseWriter, r *http.Request) { s.delete(w, r, c) })
	if c.name == "serviceaccounts" {
		mux.HandleFunc("POST "+one+"/token", s.issue)
	}
}

// several answers a LIST or a WATCH.
func (s *Server) several(w http.ResponseWriter, r *http.Request, c *collection) {
	q, err := newQuery(r, c, r.PathValue("namespace"))
	switch {
	case err != nil:
		refuse(w, err)
	case q.Watch:
		s.watch(w, r, c, q)
	default:
		s.list(w, r, c, q)
	}
}
