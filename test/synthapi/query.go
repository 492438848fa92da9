// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package synthapi

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// query is what a LIST or WATCH asks for.
type query struct {
	metav1.ListOptions

	namespace string
	version   uint64 // of ResourceVersion, 0 for none
	matches   func(item) bool
	// forGood is whether an object that matches does so for all its life.
	forGood bool
}

// newQuery reads and checks the options of a request as the API server does.
func newQuery(r *http.Request, c *collection, namespace string) (*query, error) {
	q := &query{namespace: namespace}
	values := r.URL.Query()
	if err := metav1.Convert_url_Values_To_v1_ListOptions(&values, &q.ListOptions, nil); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	var internal internalversion.ListOptions
	internal.Watch, internal.ResourceVersion, internal.ResourceVersionMatch = q.Watch, q.ResourceVersion, q.ResourceVersionMatch
	internal.SendInitialEvents, internal.Continue = q.SendInitialEvents, q.Continue
	if errs := validation.ValidateListOptions(&internal, true); len(errs) > 0 {
		return nil, apierrors.NewInvalid(metav1.SchemeGroupVersion.WithKind("ListOptions").GroupKind(), "", errs)
	}
	if q.ResourceVersion != "" {
		version, err := strconv.ParseUint(q.ResourceVersion, 10, 64)
		if err != nil {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("resourceVersion: %q is not a number", q.ResourceVersion))
		}
		q.version = version
	}
	return q, q.selector(c)
}

// token is where a list goes on.
type token struct {
	Version uint64
	From    int
}

func (t token) String() string {
	encoded, err := json.Marshal(t)
	if err != nil {
		panic(err) // it never fails
	}
	return base64.RawURLEncoding.EncodeToString(encoded)
}

func readToken(text string) (t token, err error) {
	encoded, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(encoded, &t)
	}
	if err != nil {
		return t, apierrors.NewBadRequest("continue: not a token of this server")
	}
	return t, nil
}

const (
	// keptLists is how many lists can be gone on with at a time.
	keptLists = 4
	// freshWait is how long a request for a version that is not there yet waits for it, as the API server does.
	freshWait = 3 * time.Second
)

// page finds what a LIST is answered with.
func (s *Server) page(ctx context.Context, c *collection, q *query) (*page, error) {
	p := &page{limit: int(q.Limit), matches: q.matches}
	if q.Continue != "" {
		t, err := readToken(q.Continue)
		if err != nil {
			return nil, err
		}
		p.from, p.snapshot = t.From, c.kept(t.Version)
		if p.snapshot == nil || s.goneContinue(c) {
			return nil, apierrors.NewResourceExpired("The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.")
		}
		return p, nil
	}
	if err := c.fresh(ctx, q.version); err != nil {
		return nil, err
	}
	exact := uint64(0)
	if q.ResourceVersionMatch == metav1.ResourceVersionMatchExact || q.Limit > 0 && q.version > 0 && q.ResourceVersionMatch == "" {
		exact = q.version
	}
	if p.snapshot = c.listed(exact, q.Limit > 0); p.snapshot == nil {
		return nil, tooOld(q.version, c.newest())
	}
	return p, nil
}

// kept is a list that can be gone on with, nil for none.
func (c *collection) kept(version uint64) *snapshot {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	for _, s := range c.lists {
		if s.version == version {
			return s
		}
	}
	return nil
}

// listed is what is there now, or was at an exact version; nil where that is not kept.
func (c *collection) listed(exact uint64, keep bool) *snapshot {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	want := c.world.version
	if exact > 0 {
		want = exact
	}
	for _, s := range c.lists {
		if s.version == want {
			return s
		}
	}
	if want != c.world.version {
		return nil
	}
	s := c.snapshot()
	if keep {
		c.lists = append(c.lists, s)
		c.lists = c.lists[max(0, len(c.lists)-keptLists):]
	}
	return s
}

func (c *collection) newest() uint64 {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	return c.world.version
}

// fresh waits until a version is there.
func (c *collection) fresh(ctx context.Context, version uint64) error {
	timeout := time.NewTimer(freshWait)
	defer timeout.Stop()
	for {
		c.world.mu.Lock()
		newest, changed := c.world.version, c.changed
		c.world.mu.Unlock()
		if version <= newest {
			return nil
		}
		select {
		case <-changed:
		case <-timeout.C:
			return fromTheFuture(version, newest)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
