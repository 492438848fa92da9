// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
)

// maxCredentials bounds the file: a Secret can't be larger.
const maxCredentials = 1 << 20

// Credentials are those of a docker config.json, which is read again when it changes.
// It is an authn.Keychain. Programs that such a file may name are never run.
type Credentials struct {
	path   string
	failed func(error)

	mu    sync.Mutex // guards the rest
	auths map[string]authn.AuthConfig
	seen  stamp // of the file that was read last, good or not
}

// stamp tells one state of a file from the next.
type stamp struct {
	changed time.Time
	size    int64
}

var _ authn.ContextKeychain = (*Credentials)(nil)

// OpenCredentials reads credentials from a file. Should it turn bad later, what was
// read last stays in use, and failed is told why, once.
func OpenCredentials(path string, failed func(error)) (*Credentials, error) {
	c := &Credentials{path: path, failed: failed}
	seen, err := c.stamp()
	if err != nil {
		return nil, fmt.Errorf("registry credentials: %w", err)
	}
	if c.auths, err = readCredentials(path); err != nil {
		return nil, err
	}
	c.seen = seen
	return c, nil
}

// Resolve returns the credentials for a repository, anonymous ones if there are none.
func (c *Credentials) Resolve(target authn.Resource) (authn.Authenticator, error) {
	return c.ResolveContext(context.Background(), target)
}

// ResolveContext is Resolve. An entry for a part of a registry goes before one for all of it.
func (c *Credentials) ResolveContext(_ context.Context, target authn.Resource) (authn.Authenticator, error) {
	c.reload()
	c.mu.Lock()
	defer c.mu.Unlock()
	for name := target.String(); name != ""; {
		if auth, found := c.auths[name]; found {
			return authn.FromConfig(auth), nil
		}
		slash := strings.LastIndexByte(name, '/')
		name = name[:max(slash, 0)]
	}
	return authn.Anonymous, nil
}

func (c *Credentials) stamp() (stamp, error) {
	info, err := os.Stat(c.path)
	switch {
	case err != nil:
		return stamp{}, err
	case !info.Mode().IsRegular():
		return stamp{}, fmt.Errorf("%s is not a regular file", c.path)
	case info.Size() > maxCredentials:
		return stamp{}, fmt.Errorf("%s has %d bytes, at most %d are read", c.path, info.Size(), maxCredentials)
	}
	return stamp{info.ModTime(), info.Size()}, nil
}

// reload reads the file again if it has changed.
func (c *Credentials) reload() {
	c.mu.Lock()
	seen, err := c.stamp()
	if seen == c.seen {
		c.mu.Unlock()
		return // Nothing new, or gone since the last time.
	}
	c.seen = seen
	if err == nil {
		var auths map[string]authn.AuthConfig
		if auths, err = readCredentials(c.path); err == nil {
			c.auths = auths
		}
	}
	c.mu.Unlock()
	if err != nil && c.failed != nil {
		c.failed(fmt.Errorf("the credentials read before stay in use: %w", err))
	}
}

func readCredentials(path string) (map[string]authn.AuthConfig, error) {
	body, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("registry credentials: %w", err)
	}
	auths, err := parseCredentials(body)
	if err != nil {
		return nil, fmt.Errorf("registry credentials in %s: %w", path, err)
	}
	return auths, nil
}

// errNotJSON does not say what is wrong where: that could quote a password.
var errNotJSON = errors.New(`want a docker config.json, such as {"auths":{"registry.example.com":{"auth":"..."}}}`)

func parseCredentials(body []byte) (map[string]authn.AuthConfig, error) {
	var file struct {
		Auths       map[string]authn.AuthConfig `json:"auths"`
		CredsStore  string                      `json:"credsStore"`
		CredHelpers map[string]string           `json:"credHelpers"`
	}
	if err := json.Unmarshal(body, &file); err != nil {
		return nil, errNotJSON
	}
	switch {
	case file.CredsStore != "":
		return nil, errors.New("credsStore names a program, and none is ever run: put the credentials into auths")
	case len(file.CredHelpers) > 0:
		return nil, errors.New("credHelpers names programs, and none is ever run: put the credentials into auths")
	case len(file.Auths) == 0:
		return nil, errors.New("there is nothing in auths")
	}
	auths := make(map[string]authn.AuthConfig, len(file.Auths))
	for key, auth := range file.Auths {
		if auth == (authn.AuthConfig{}) {
			return nil, fmt.Errorf("the entry of %q is empty", key)
		}
		auths[canonical(key)] = auth
	}
	return auths, nil
}

// canonical is a key as repositories spell it: docker writes URLs, some with a version.
func canonical(key string) string {
	for _, scheme := range []string{"https://", "http://"} {
		key = strings.TrimPrefix(key, scheme)
	}
	key = strings.TrimSuffix(key, "/")
	for _, version := range []string{"/v1", "/v2"} {
		key = strings.TrimSuffix(key, version)
	}
	host, path, found := strings.Cut(key, "/")
	switch host {
	case dockerHub, "registry-1." + dockerHub:
		host = dockerHubServer
	}
	if found {
		return host + "/" + path
	}
	return host
}
