// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// nodeGracePeriod is how long a node may be silent before it counts as NotReady. Kubelets of the lab renew their lease more than
// five times in that time, so that a loaded machine doesn't lose nodes.
const nodeGracePeriod = 20 * time.Second

// startControllerManager starts kube-controller-manager and waits for the first thing it makes that pods need.
func (c *ControlPlane) startControllerManager(ctx context.Context) error {
	kubeconfig, err := c.kubeconfigFor("controller-manager.kubeconfig", "system:kube-controller-manager")
	if err != nil {
		return err
	}
	r, err := c.start("kube-controller-manager",
		"--kubeconfig="+kubeconfig,
		"--secure-port=0",
		"--leader-elect=false",
		"--use-service-account-credentials=true",
		"--service-account-private-key-file="+c.serviceAccountKey(),
		"--root-ca-file="+c.CAFile,
		"--node-monitor-grace-period="+nodeGracePeriod.String(),
		"--node-monitor-period=2s",
	)
	if err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	return r.until(ctx, time.Minute, func(ctx context.Context) error {
		_, err := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

// startScheduler starts kube-scheduler.
func (c *ControlPlane) startScheduler() error {
	kubeconfig, err := c.kubeconfigFor("scheduler.kubeconfig", "system:kube-scheduler")
	if err != nil {
		return err
	}
	_, err = c.start("kube-scheduler", "--kubeconfig="+kubeconfig, "--secure-port=0", "--leader-elect=false")
	return err
}

// createServiceAccount makes the ServiceAccount "default" of the namespace "default" in place of a controller manager, so that
// pods can be created there.
func (c *ControlPlane) createServiceAccount(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	return retry(ctx, time.Minute, func(ctx context.Context) error {
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default", Namespace: metav1.NamespaceDefault}}
		_, err := client.CoreV1().ServiceAccounts(account.Namespace).Create(ctx, account, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			return nil
		}
		return err
	})
}

// client is a client with all rights.
func (c *ControlPlane) client() (kubernetes.Interface, error) {
	config, err := c.RESTConfig()
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

// retry tries until it goes well or the time is up; then the last error is returned.
func retry(ctx context.Context, timeout time.Duration, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		last := try(ctx)
		if last == nil {
			return nil
		}
		if pause(ctx, 100*time.Millisecond) != nil {
			return last
		}
	}
}
