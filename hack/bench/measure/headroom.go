// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package measure

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/headroom-dev/headroom/webhook"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/headroom-dev/headroom/hack/bench/load"
	"github.com/headroom-dev/headroom/hack/bench/peer"
	"github.com/headroom-dev/headroom/hack/bench/process"
)

// service is a running `headroom serve`.
type service struct {
	*process.Child

	target     load.Target
	healthURL  string
	metricsURL string
}

// startHeadroom starts the real thing out of the cluster, where it registers its webhook until it ends. It asks no registry, and no
// kubelet unless more flags say so.
func (p *Part) startHeadroom(ctx context.Context, program, kubeconfig string, cores []int, more ...string) (*service, error) {
	var ports [3]int
	for i := range ports {
		var err error
		if ports[i], err = freePort(ctx); err != nil {
			return nil, err
		}
	}
	certificate, ca, err := peer.NewCertificate()
	if err != nil {
		return nil, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		return nil, err
	}
	certFile, keyFile := filepath.Join(p.Dir, "headroom.crt"), filepath.Join(p.Dir, "headroom.key")
	if err := os.WriteFile(certFile, []byte(ca), 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600); err != nil {
		return nil, err
	}
	url := fmt.Sprintf("https://127.0.0.1:%d", ports[0])
	s := &service{healthURL: fmt.Sprintf("http://127.0.0.1:%d", ports[1]), metricsURL: fmt.Sprintf("http://127.0.0.1:%d/metrics", ports[2])}
	s.Child, err = process.Start(ctx, process.Command{Path: program, Cores: cores, Args: append([]string{
		"serve", "--kubeconfig=" + kubeconfig, "--webhook-url=" + url, "--tls-cert-file=" + certFile, "--tls-key-file=" + keyFile,
		fmt.Sprint("--health-address=127.0.0.1:", ports[1]), fmt.Sprint("--metrics-address=127.0.0.1:", ports[2]),
		"--kubelet-via=off", "--registry=off", "--leader-elect=false", "--shutdown-delay=0s",
	}, more...)})
	if err != nil {
		return nil, err
	}
	s.target = load.Target{URL: url + webhook.PodsPath, CA: ca, PID: s.PID()}
	return s, nil
}

// ready waits for /readyz.
func (s *service) ready(ctx context.Context, timeout time.Duration) error {
	return waitReady(ctx, s.healthURL+"/readyz", timeout)
}

// sum adds up a metric's samples that have these labels: counters and gauges, and buckets of histograms by their bound, or their counts
// where that is 0.
func sum(text []byte, name string, bound float64, labels map[string]string) (float64, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return 0, fmt.Errorf("metrics: %w", err)
	}
	total := 0.0
	for _, m := range families[name].GetMetric() {
		matching := 0
		for _, l := range m.GetLabel() {
			if want, asked := labels[l.GetName()]; asked && want == l.GetValue() {
				matching++
			}
		}
		if matching != len(labels) {
			continue
		}
		h := m.GetHistogram()
		switch {
		case h == nil:
			total += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		case bound == 0:
			total += float64(h.GetSampleCount())
		default:
			for _, b := range h.GetBucket() {
				if b.GetUpperBound() == bound {
					total += float64(b.GetCumulativeCount())
				}
			}
		}
	}
	return total, nil
}

// waited is how many requests have waited for the size of an image, by its own count.
func (s *service) waited(ctx context.Context) (float64, error) {
	text, err := get(ctx, s.metricsURL)
	if err != nil {
		return 0, err
	}
	return sum(text, "headroom_admission_size_waits_total", 0, nil)
}

func get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return answered(request)
}
