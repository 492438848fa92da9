// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package synthapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// churning is the Churn that a server runs by itself.
type churning struct {
	mu      sync.Mutex // guards the rest
	churner *Churner
	cancel  context.CancelFunc
	done    chan struct{}
}

func (c *churning) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopLocked()
}

func (c *churning) stopLocked() {
	if c.cancel != nil {
		c.cancel()
		<-c.done
		c.cancel = nil
	}
}

// SetChurn has the server run a Churn until Stop or the next one, which goes on with the pods that are on their way. The zero
// Churn lets all rest.
func (s *Server) SetChurn(churn Churn) {
	c := &s.churning
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopLocked()
	next := s.NewChurner(churn)
	if c.churner != nil {
		next.moving = c.churner.moving
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	c.churner, c.cancel, c.done = next, cancel, done
	go func() {
		defer close(done)
		next.Run(ctx)
	}()
}

// control serves, below /synthapi/, what the methods of a Server do, for whoever runs it as a command:
//
//	GET  counts                    Counts
//	PUT  churn                     a Churn
//	PUT  faults/RESOURCE           Faults
//	POST end/RESOURCE/closed       End; also broken, expired
//	POST compact/RESOURCE          Compact
func (s *Server) control(mux *http.ServeMux) {
	mux.HandleFunc("GET /synthapi/counts", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, s.Counts()) })
	mux.HandleFunc("PUT /synthapi/churn", func(w http.ResponseWriter, r *http.Request) {
		var churn Churn
		if told(w, r, &churn) {
			s.SetChurn(churn)
		}
	})
	mux.HandleFunc("PUT /synthapi/faults/{resource}", s.onResource(func(w http.ResponseWriter, r *http.Request, resource string) {
		var faults Faults
		if told(w, r, &faults) {
			s.SetFaults(resource, faults)
		}
	}))
	mux.HandleFunc("POST /synthapi/end/{resource}/{how}", s.onResource(func(w http.ResponseWriter, r *http.Request, resource string) {
		how, known := map[string]Ending{"closed": Closed, "broken": Broken, "expired": Expired}[r.PathValue("how")]
		if !known {
			refuse(w, apierrors.NewBadRequest(fmt.Sprintf("%q: a watch ends closed, broken or expired", r.PathValue("how"))))
			return
		}
		s.End(resource, how)
	}))
	mux.HandleFunc("POST /synthapi/compact/{resource}", s.onResource(func(_ http.ResponseWriter, _ *http.Request, resource string) { s.Compact(resource) }))
}

// told reads a request's body, strictly, and answers where that fails.
func told(w http.ResponseWriter, r *http.Request, into any) bool {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		refuse(w, apierrors.NewBadRequest(err.Error()))
		return false
	}
	return true
}

// onResource calls f with a resource that there is.
func (s *Server) onResource(f func(w http.ResponseWriter, r *http.Request, resource string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		resource := r.PathValue("resource")
		if s.world.collections[resource] == nil {
			refuse(w, apierrors.NewBadRequest(fmt.Sprintf("%q: no resource that is served", resource)))
			return
		}
		f(w, r, resource)
	}
}
