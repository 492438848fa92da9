// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package crosscheck

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/headroom-dev/headroom/test/synthapi"
)

// etcdWriter puts objects where an API server finds them: through its API they would take minutes, and get other UIDs and no
// status.
type etcdWriter struct {
	url string
	ops []any
	// bytes is how much waits; etcd takes 1.5 MiB and 128 writes at a time.
	bytes int
}

const (
	etcdOps   = 128
	etcdBytes = 900 << 10
)

// fill puts all nodes and pods of a server into the etcd of another.
func fill(t *testing.T, etcd string, from *synthapi.Server) {
	t.Helper()
	w := &etcdWriter{url: etcd + "/v3/kv/txn"}
	for resource, prefix := range map[string]string{synthapi.Nodes: "/registry/minions", synthapi.Pods: "/registry/pods"} {
		err := from.Each(resource, func(namespace, name string, encoded []byte) error {
			key := prefix + "/" + name
			if namespace != "" {
				key = prefix + "/" + namespace + "/" + name
			}
			return w.put(key, encoded)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.flush(); err != nil {
		t.Fatal(err)
	}
}

func (w *etcdWriter) put(key string, value []byte) error {
	w.ops = append(w.ops, map[string]any{"request_put": map[string][]byte{"key": []byte(key), "value": value}})
	w.bytes += len(key) + len(value)
	if len(w.ops) < etcdOps && w.bytes < etcdBytes {
		return nil
	}
	return w.flush()
}

// flush writes what waits in one transaction, by etcd's JSON gateway.
func (w *etcdWriter) flush() error {
	if len(w.ops) == 0 {
		return nil
	}
	body, err := json.Marshal(map[string]any{"success": w.ops})
	if err != nil {
		return err
	}
	w.ops, w.bytes = w.ops[:0], 0
	response, err := http.Post(w.url, "application/json", bytes.NewReader(body)) //nolint:noctx // the test's process bounds it
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return fmt.Errorf("etcd answers %s: %s (%w)", response.Status, answer, err)
	}
	return nil
}
