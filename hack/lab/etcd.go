// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"time"
)

// startEtcd starts etcd on a free port of the loopback interface and returns its URL. It never syncs to disk: what it holds is
// thrown away.
func (c *ControlPlane) startEtcd(ctx context.Context) (string, error) {
	ports, err := freePorts("127.0.0.1", 2)
	if err != nil {
		return "", err
	}
	client, peer := "http://127.0.0.1:"+ports[0], "http://127.0.0.1:"+ports[1]
	r, err := c.start("etcd",
		"--data-dir="+filepath.Join(c.Dir, "etcd"),
		"--unsafe-no-fsync",
		"--listen-client-urls="+client, "--advertise-client-urls="+client,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=default="+peer,
		"--log-level=warn",
	)
	if err != nil {
		return "", err
	}
	return client, r.until(ctx, time.Minute, func(ctx context.Context) error {
		return healthy(ctx, http.DefaultClient, client+"/health")
	})
}

// healthy asks a health endpoint.
func healthy(ctx context.Context, client *http.Client, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10)) //nolint:errcheck // part of an error already
		return fmt.Errorf("%s answers %s: %s", url, response.Status, body)
	}
	return nil
}

// freePorts finds n ports of an address that nothing listens on now.
func freePorts(address string, n int) ([]string, error) {
	ports := make([]string, 0, n)
	for range n {
		listener, err := net.Listen("tcp", net.JoinHostPort(address, "0")) //nolint:noctx // it is closed at once
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer listener.Close() //nolint:errcheck // held until all are found, so that they differ
		ports = append(ports, strconv.Itoa(listener.Addr().(*net.TCPAddr).Port))
	}
	return ports, nil
}
