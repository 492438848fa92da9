// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/headroom-dev/headroom/fit"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/ledger/ledgertest"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/webhook/decode"
)

// servedVariable has a test program serve, for BenchmarkServed, instead of testing: what, where, and the folder of the certificate.
const servedVariable = "HEADROOM_BENCHMARK_SERVES"

const controllerRuntime = "controller-runtime"

// servedHandlers are what BenchmarkServed compares, but for controller-runtime's, which has its own server.
func servedHandlers() map[string]func() http.Handler {
	return map[string]func() http.Handler{
		"headroom": func() http.Handler { return NewPods(threeNodes()) },
		"no-decision": func() http.Handler {
			fits := threeNodes().Evaluator.Evaluate(fit.RequestOf(aPod()))
			return NewPods(HandlerOptions{Limits: NewLimits(), Evaluator: evaluatorFunc(func(fit.Request) fit.Decision { return fits })})
		},
		"decode-only": func() http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { admitUnseen(w, r, decode.Pods) })
		},
		"uid-only": func() http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				admitUnseen(w, r, func(body []byte) (decode.Review, error) {
					uid, _ := decode.UID(body)
					return decode.Review{Request: &admissionv1.AdmissionRequest{UID: uid}}, nil
				})
			})
		},
		controllerRuntime: nil,
	}
}

func servedNames() []string { return slices.Sorted(maps.Keys(servedHandlers())) }

func admitUnseen(w http.ResponseWriter, r *http.Request, read func([]byte) (decode.Review, error)) {
	body := newBuffer()
	defer body.release()
	if err := body.readAll(r.Body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	review, err := read(body.bytes)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":"`+string(review.Request.UID)+`","allowed":true}}`)
}

// threeNodes have room for the pod.
func threeNodes() HandlerOptions {
	w := ledgertest.New(new(testing.B)) // It has no mistakes to tell.
	for _, name := range []string{"a", "b", "c"} {
		w.Node(name, ledgertest.Disk(100<<30, 60<<30))
	}
	w.Registry("registry.example.com/team-a/web:v1.27.3", 200<<20)
	w.Registry("registry.example.com/platform/proxy:v3.1.0", 100<<20)
	snapshot, p := w.Ledger.Snapshot(), policy.Default()
	return HandlerOptions{Limits: NewLimits(), Evaluator: fit.Evaluator{
		Snapshot: func() *ledger.Snapshot { return snapshot }, Policy: func() *policy.Policy { return p }, Clock: func() time.Time { return w.Now },
	}}
}

// serveForBenchmark serves until the process is killed.
func serveForBenchmark(arguments string) {
	parts := strings.Split(arguments, " ")
	name, address, dir := parts[0], parts[1], parts[2]
	var err error
	if name == controllerRuntime {
		err = serveByControllerRuntime(address, dir)
	} else {
		var certificate tls.Certificate
		certificate, err = tls.LoadX509KeyPair(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
		if err == nil {
			mux := http.NewServeMux()
			mux.Handle(PodsPath, servedHandlers()[name]())
			s := &Server{Address: address, Handler: mux, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certificate, nil }}
			err = s.Run(context.Background())
		}
	}
	fmt.Fprintln(os.Stderr, err)
}

func serveByControllerRuntime(address, dir string) error {
	ctrllog.SetLogger(logr.Discard())
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	s := ctrlwebhook.NewServer(ctrlwebhook.Options{Host: host, Port: number, CertDir: dir})
	s.Register(PodsPath, &admission.Webhook{Handler: admission.HandlerFunc(func(context.Context, admission.Request) admission.Response {
		return admission.Allowed("")
	})})
	return s.Start(context.Background())
}
