// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

func encoded(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

// credentials writes a file and opens it; told gets what is wrong with it later.
func credentials(t *testing.T, body string) (c *Credentials, told *[]string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	told = new([]string)
	c, err := OpenCredentials(path, func(err error) { *told = append(*told, err.Error()) })
	if err != nil {
		t.Fatal(err)
	}
	return c, told
}

func (c *Credentials) user(t *testing.T, repository string) string {
	t.Helper()
	repo, err := name.NewRepository(repository)
	if err != nil {
		t.Fatal(err)
	}
	auth, err := c.Resolve(repo)
	if err != nil {
		t.Fatal(err)
	}
	config, err := auth.Authorization()
	if err != nil {
		t.Fatal(err)
	}
	return config.Username
}

func TestTheNearestEntryIsUsed(t *testing.T) {
	c, _ := credentials(t, fmt.Sprintf(`{"auths":{
		"https://index.docker.io/v1/":{"auth":%q},
		"registry.corp:5000":{"username":"corp","password":"x"},
		"registry.corp:5000/team":{"username":"team","password":"x"},
		"https://quay.io":{"username":"quay","password":"x"}}}`, encoded("hub", "secret")))
	got := map[string]string{}
	want := map[string]string{
		"nginx":                       "hub",
		"registry.corp:5000/app":      "corp",
		"registry.corp:5000/team/app": "team",
		"registry.corp:5000/teams":    "corp",
		"registry.corp/app":           "",
		"quay.io/a/b":                 "quay",
		"ghcr.io/a/b":                 "",
	}
	for repository := range want {
		got[repository] = c.user(t, repository)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestCredentialsThatAreRefused(t *testing.T) {
	for what, test := range map[string]struct{ body, want string }{
		"a program for all":   {`{"auths":{"a.b":{"username":"x"}},"credsStore":"desktop"}`, "credsStore names a program, and none is ever run"},
		"a program for one":   {`{"credHelpers":{"gcr.io":"gcloud"}}`, "credHelpers names programs, and none is ever run"},
		"no JSON":             {`password=hunter2`, "want a docker config.json"},
		"nothing":             {`{}`, "there is nothing in auths"},
		"an entry in a store": {`{"auths":{"a.b":{}}}`, `the entry of "a.b" is empty`},
		"no base64":           {`{"auths":{"a.b":{"auth":"hunter2!"}}}`, "want a docker config.json"},
	} {
		_, err := parseCredentials([]byte(test.body))
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q", what, err, test.want)
		}
	}
	if _, err := OpenCredentials(filepath.Join(t.TempDir(), "none"), nil); err == nil {
		t.Error("a file that is not there is accepted")
	}
}

func TestCredentialsAreReadAgain(t *testing.T) {
	c, told := credentials(t, `{"auths":{"a.b":{"username":"first","password":"x"}}}`)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	write := func(body string) {
		t.Helper()
		at = at.Add(time.Second)
		if err := os.WriteFile(c.path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(c.path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"auths":{"a.b":{"username":"other","password":"x"}}}`)
	if got := c.user(t, "a.b/c"); got != "other" {
		t.Errorf("user %q after the change", got)
	}
	write(`{"auths":`)
	for range 3 {
		if got := c.user(t, "a.b/c"); got != "other" {
			t.Errorf("user %q, the last good one is other", got)
		}
	}
	if len(*told) != 1 {
		t.Errorf("told %q, want one", *told)
	}
	if err := os.Remove(c.path); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		c.user(t, "a.b/c")
	}
	if len(*told) != 2 {
		t.Errorf("told %q, want two", *told)
	}
	write(`{"auths":{"a.b":{"username":"third","password":"x"}}}`)
	if got := c.user(t, "a.b/c"); got != "third" || len(*told) != 2 {
		t.Errorf("user %q, told %q", got, *told)
	}
}

func TestAPrivateRegistryIsAskedWithCredentials(t *testing.T) {
	inner := quietRegistry()
	handler := http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if user, password, _ := q.BasicAuth(); user != "corp" || password != "secret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="lab"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, q)
	})
	made := makeImage(t, 5000)
	open := start(t, inner, nil)
	open.push(t, "app:v1", made)
	anonymous := start(t, handler, nil)
	anonymous.expect(t, ref(t, "lab.test/app:v1"), amd64, Unauthorized)
	var w world
	c := &Credentials{}
	w = start(t, handler, func(o *Options) { o.Keychain = c })
	host := strings.TrimPrefix(w.server.URL, "http://")
	known, _ := credentials(t, fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, host, encoded("corp", "secret")))
	c.path, c.auths, c.seen = known.path, known.auths, known.seen
	w.expect(t, ref(t, "lab.test/app:v1"), amd64, Resolved)
	got, _ := w.sink.get(ref(t, "lab.test/app:v1"), amd64)
	if diff := cmp.Diff(declared(t, made), got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func FuzzParseCredentials(f *testing.F) {
	f.Add([]byte(`{"auths":{"a.b":{"auth":"YTpi"}}}`))
	f.Add([]byte(`{"auths":{"https://index.docker.io/v1/":{"identitytoken":"x"}},"credHelpers":{}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		auths, err := parseCredentials(body)
		for key, auth := range auths {
			if auth == (authn.AuthConfig{}) || err != nil {
				t.Errorf("%q: %v", key, err)
			}
		}
	})
}
