// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/headroom-dev/headroom/controller"
	"github.com/headroom-dev/headroom/kubelet"
	"github.com/headroom-dev/headroom/policy"
)

// The ways to ask kubelets.
const (
	kubeletViaDirect    = "direct"
	kubeletViaAPIServer = "apiserver"
	kubeletViaOff       = "off"
)

// kubeletReader is the ServiceAccount whose tokens are sent to kubelets.
const kubeletReader = "headroom-kubelet-reader"

// kubeletOptions say how kubelets are asked for their disks' figures.
type kubeletOptions struct {
	via         string
	caFile      string
	insecureTLS bool
	concurrency int
	timeout     time.Duration
}

func newKubeletOptions() kubeletOptions {
	return kubeletOptions{via: kubeletViaDirect, concurrency: controller.DefaultPollConcurrency, timeout: 10 * time.Second}
}

func (o *kubeletOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.via, "kubelet-via", o.via, "How kubelets are asked: direct (their port 10250, with a token of ServiceAccount "+policy.Namespace+"/"+kubeletReader+
		"), apiserver (with your own rights, which must include nodes/proxy: that also allows to run commands in pods), or off.")
	flags.StringVar(&o.caFile, "kubelet-certificate-authority", o.caFile, "Path of the CA that signs kubelets' serving certificates, for --kubelet-via=direct.")
	flags.BoolVar(&o.insecureTLS, "kubelet-insecure-tls", o.insecureTLS, "Do not check kubelets' serving certificates, for --kubelet-via=direct. Needed where they are self-signed.")
	flags.IntVar(&o.concurrency, "kubelet-concurrency", o.concurrency, "How many kubelets are asked at a time.")
	flags.DurationVar(&o.timeout, "kubelet-timeout", o.timeout, "Longest wait for one kubelet's answer.")
}

func (o *kubeletOptions) validate() error {
	var errs []error
	switch o.via {
	case kubeletViaDirect, kubeletViaAPIServer, kubeletViaOff:
	default:
		errs = append(errs, fmt.Errorf("--kubelet-via: must be direct, apiserver or off, got %q", o.via))
	}
	if o.via == kubeletViaDirect && o.caFile == "" && !o.insecureTLS {
		errs = append(errs, errors.New("--kubelet-via=direct: name the CA of kubelets' serving certificates with --kubelet-certificate-authority, or accept unchecked ones with --kubelet-insecure-tls"))
	}
	if o.caFile != "" {
		if _, err := os.Stat(o.caFile); err != nil {
			errs = append(errs, fmt.Errorf("--kubelet-certificate-authority: %w", err))
		}
	}
	if o.concurrency < 1 {
		errs = append(errs, fmt.Errorf("--kubelet-concurrency: must be 1 or more, got %d", o.concurrency))
	}
	if o.timeout <= 0 {
		errs = append(errs, fmt.Errorf("--kubelet-timeout: must be positive, got %v", o.timeout))
	}
	return errors.Join(errs...)
}

// client connects to kubelets; nil when they are not to be asked.
func (o *kubeletOptions) client(config *rest.Config, client kubernetes.Interface) (*kubelet.Client, error) {
	switch o.via {
	case kubeletViaOff:
		return nil, nil
	case kubeletViaAPIServer:
		client, err := rest.HTTPClientFor(config)
		if err != nil {
			return nil, err
		}
		timed := *client // it may be http.DefaultClient
		timed.Timeout = o.timeout
		return kubelet.ViaAPIServer(&timed, config.Host)
	}
	tokens := kubelet.NewTokenSource(client, policy.Namespace, kubeletReader)
	return kubelet.Direct(kubelet.DirectOptions{
		CAFile: o.caFile, InsecureTLS: o.insecureTLS,
		Token: tokens.Token, Rejected: tokens.Rejected, Subject: tokens.Subject(),
		Timeout: o.timeout,
	})
}
