// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/headroom-dev/headroom/imageref"
	"github.com/headroom-dev/headroom/imagesize"
)

// answer is what is known of an image for a platform: a manifest or an error.
type answer struct {
	manifest imagesize.Manifest
	err      *Error
	// again says that asking later may tell more of the layers.
	again bool
	// document is the manifest itself, while its layers are being read.
	document document
}

// visit is one round of questions about one image.
type visit struct {
	r      *Resolver
	ref    imageref.Ref
	repo   name.Repository
	puller *remote.Puller
	errand *errand
	spare  bool // nobody waits for the answer
}

// ask finds what an image is for each platform. An error in the first question
// is the answer for all of them, and so is a panic: an image that trips the
// library must not end the process, which would be asked for it again at once.
func (r *Resolver) ask(ctx context.Context, e *entry, platforms []imagesize.Platform) map[imagesize.Platform]answer {
	v, answers := r.manifests(ctx, e.ref, r.isSpare(e), platforms)
	for p, a := range answers {
		if a.err != nil {
			continue
		}
		if !v.known(a.document, &a.manifest) {
			// The layers may take a while.
			a.again = true
			r.tell(e, p, a.manifest)
		}
		answers[p] = a
	}
	for p, a := range answers {
		if a.again {
			a.again = v.learn(ctx, a.document, &a.manifest)
		}
		a.document = document{}
		answers[p] = a
	}
	return answers
}

// manifests finds the manifest for each platform.
func (r *Resolver) manifests(ctx context.Context, ref imageref.Ref, spare bool, platforms []imagesize.Platform) (v *visit, answers map[imagesize.Platform]answer) {
	answers = make(map[imagesize.Platform]answer, len(platforms))
	defer func() {
		if p := recover(); p != nil {
			for _, platform := range platforms {
				answers[platform] = answer{err: failure(Malformed, nil, "what %s says of %s can't be read: panic: %v", ref.Host(), ref.Familiar(), p)}
			}
		}
	}()
	v, root, err := r.root(ctx, ref, spare)
	for _, p := range platforms {
		if err != nil {
			answers[p] = answer{err: classify(err, ref.Host())}
			continue
		}
		d, m, err := v.resolve(ctx, root, p)
		if err != nil {
			answers[p] = answer{err: classify(err, ref.Host())}
			continue
		}
		answers[p] = answer{manifest: m, document: d}
	}
	if v != nil {
		for _, a := range answers {
			r.pauseHost(ref.Host(), a.err, v.errand)
		}
	}
	return v, answers
}

// pauseHost leaves a host alone that asked for it or does not answer.
func (r *Resolver) pauseHost(host string, e *Error, errand *errand) {
	if e == nil || !e.until.IsZero() {
		return
	}
	switch e.Outcome {
	case RateLimited:
		pause := errand.pause()
		if pause == 0 {
			pause = limitedPause
		}
		e.until = r.o.Now().Add(pause)
	case Timeout:
		e.until = r.o.Now().Add(unreachablePause)
	default:
		return
	}
	r.hosts.pause(host, e.until, e)
}

func (r *Resolver) root(ctx context.Context, ref imageref.Ref, spare bool) (*visit, document, error) {
	if paused := r.hosts.paused(ref.Host(), r.o.Now()); paused != nil {
		return nil, document{}, paused
	}
	v, err := r.visit(ref, spare)
	if err != nil {
		return nil, document{}, err
	}
	if digest := ref.Digest(); digest != "" {
		root, err := v.byDigest(ctx, digest)
		return v, root, err
	}
	root, err := v.byTag(ctx, ref.Tag())
	return v, root, err
}

func (r *Resolver) visit(ref imageref.Ref, spare bool) (*visit, error) {
	// "host/path" without the host, which is asked elsewhere if it has an endpoint.
	host, path := ref.Host(), ref.Repository()[len(ref.Host())+1:]
	var options []name.Option
	if e, ok := r.o.Endpoints[host]; ok {
		host = e.host
		if e.plainHTTP {
			options = append(options, name.Insecure)
		}
		if e.prefix != "" {
			path = e.prefix + "/" + path
		}
	}
	server, err := name.NewRegistry(host, options...)
	if err != nil {
		return nil, failure(Malformed, err, "%s is not the name of a registry", host)
	}
	v := &visit{r: r, ref: ref, spare: spare, repo: server.Repo(path), errand: &errand{r: r, limit: maxRequests}}
	v.puller, err = remote.NewPuller(
		remote.WithTransport(v.errand),
		remote.WithAuthFromKeychain(r.o.Keychain),
		remote.WithUserAgent(r.o.UserAgent),
		// The resolver has its own idea of when to ask again.
		remote.WithRetryStatusCodes(),
		remote.WithRetryPredicate(func(error) bool { return false }),
		remote.WithRetryBackoff(remote.Backoff{Steps: 1}),
	)
	return v, err
}

// byTag asks which digest a tag has (HEAD, which no registry counts as a pull)
// and fetches that, unless it is known. A registry that does not answer HEAD
// properly is asked for the tag itself.
func (v *visit) byTag(ctx context.Context, tag string) (document, error) {
	if err := v.r.hosts.take(ctx, v.ref.Host(), v.r.o.Now(), use{spare: v.spare}); err != nil {
		return document{}, err
	}
	head, cancel := context.WithTimeout(ctx, v.r.o.RequestTimeout)
	described, err := v.puller.Head(head, v.repo.Tag(tag))
	cancel()
	if err == nil {
		return v.byDigest(ctx, described.Digest.String())
	}
	if conclusive(err) {
		return document{}, err
	}
	return v.get(ctx, v.repo.Tag(tag))
}

// conclusive says that GET would fail as HEAD did.
func conclusive(err error) bool {
	if answer, ok := errors.AsType[*transport.Error](err); ok {
		switch answer.StatusCode {
		case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusTooManyRequests:
			return true
		default:
			return false
		}
	}
	return classify(err, "").Outcome != Malformed
}

func (v *visit) byDigest(ctx context.Context, digest string) (document, error) {
	if known, found := v.r.document(v.key(digest), digest); found {
		return known, nil
	}
	return v.get(ctx, v.repo.Digest(digest))
}

// get fetches a manifest or an index. The library checks its digest, if it is asked for by digest.
func (v *visit) get(ctx context.Context, ref name.Reference) (document, error) {
	if err := v.r.hosts.take(ctx, v.ref.Host(), v.r.o.Now(), use{counted: true, spare: v.spare}); err != nil {
		return document{}, err
	}
	asked, cancel := context.WithTimeout(ctx, v.r.o.RequestTimeout)
	defer cancel()
	got, err := v.puller.Get(asked, ref)
	if err != nil {
		return document{}, err
	}
	d, err := parseDocument(got.Digest.String(), got.Manifest)
	if err != nil {
		return document{}, err
	}
	if d.schema1 {
		return v.sized(ctx, d)
	}
	v.r.keepDocument(v.key(d.digest), d)
	v.r.store.keepBody(v.key(d.digest), got.Manifest)
	return d, nil
}

// resolve goes from what the reference names to the image of a platform. An
// image without an index is taken for any platform: only its configuration
// would tell, which is one more request.
func (v *visit) resolve(ctx context.Context, root document, p imagesize.Platform) (document, imagesize.Manifest, error) {
	if !root.isIndex {
		return root, image(nil, child{}, root), nil
	}
	c, found := root.choose(p)
	if !found {
		return document{}, imagesize.Manifest{}, failure(NoPlatform, nil, "%s is not made for %s/%s", v.ref.Familiar(), p.OS, p.Architecture)
	}
	// The index may hold anything as a digest, and it becomes part of a URL.
	if _, err := v.ref.WithDigest(c.digest); err != nil {
		return document{}, imagesize.Manifest{}, failure(Malformed, err, "the index of %s lists no digest", v.ref.Familiar())
	}
	d, err := v.byDigest(ctx, c.digest)
	if err != nil {
		return document{}, imagesize.Manifest{}, err
	}
	if d.isIndex {
		return document{}, imagesize.Manifest{}, failure(Malformed, nil, "the index of %s lists another index for %s/%s", v.ref.Familiar(), p.OS, p.Architecture)
	}
	return d, image(&root, c, d), nil
}
