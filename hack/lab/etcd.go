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
	"strings"
	"time"
)

// startEtcd starts etcd on a free port of the loopback interface and returns its URL. It never syncs to disk: what it holds is
// thrown away.
func (c *ControlPlane) startEtcd(ctx context.Context) (url string, err error) {
	err = withFreePorts("127.0.0.1", 2, func(ports []string) error {
		client, peer := "http://127.0.0.1:"+ports[0], "http://127.0.0.1:"+ports[1]
		r, err := c.start("etcd",
			"--data-dir="+filepath.Join(c.Dir, "etcd"),
			"--unsafe-no-fsync",
			"--listen-client-urls="+client, "--advertise-client-urls="+client,
			"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=default="+peer,
			"--log-level=warn",
		)
		if err != nil {
			return err
		}
		url = client
		return r.until(ctx, time.Minute, func(ctx context.Context) error {
			return healthy(ctx, http.DefaultClient, client+"/health")
		})
	})
	return url, err
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
	defer response.Body.Close() // only read
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		return fmt.Errorf("%s answers %s: %s", url, response.Status, body)
	}
	return nil
}

// withFreePorts tries with n free ports, and with others when another program was faster to take one.
func withFreePorts(address string, n int, try func(ports []string) error) error {
	for attempt := 1; ; attempt++ {
		ports, err := freePorts(address, n)
		if err != nil {
			return err
		}
		err = try(ports)
		if err == nil || attempt == 3 || !strings.Contains(err.Error(), "address already in use") {
			return err
		}
	}
}

// freePorts finds n ports of an address that nothing listens on now.
func freePorts(address string, n int) ([]string, error) {
	ports := make([]string, 0, n)
	for range n {
		listener, err := net.Listen("tcp", net.JoinHostPort(address, "0")) //nolint:noctx // it is closed at once
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer listener.Close() // held until all are found, so that they differ
		ports = append(ports, strconv.Itoa(listener.Addr().(*net.TCPAddr).Port))
	}
	return ports, nil
}
