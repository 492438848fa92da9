// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"
)

const (
	serviceRange = "10.96.0.0/16"
	serviceFirst = "10.96.0.1" // the Service "kubernetes"
	// adminKubeconfig is the file with all rights, in the lab's folder.
	adminKubeconfig = "kubeconfig"
	issuer          = "https://kubernetes.default.svc.cluster.local"
)

// auditPolicy has everything written that changes something, with admission's annotations, and leaves out the noise.
//
//go:embed audit-policy.yaml
var auditPolicy []byte

// apiServerFiles are the certificates and keys the API server uses.
type apiServerFiles struct {
	serving, kubelet, tokens keyPair
	audit                    string
}

// startAPIServer starts kube-apiserver on a free port and waits until it is ready. Another server on that port is never
// mistaken for it: it could not show a certificate of this lab's authority.
func (c *ControlPlane) startAPIServer(ctx context.Context, etcd string, o ControlPlaneOptions) error {
	files, err := c.apiServerFiles(o.ListenAddress)
	if err != nil {
		return err
	}
	return withFreePorts(o.ListenAddress, 1, func(ports []string) (err error) {
		c.Host = "https://" + net.JoinHostPort(o.ListenAddress, ports[0])
		if c.Kubeconfig, err = c.kubeconfigFor(adminKubeconfig, "lab-admin", "system:masters"); err != nil {
			return err
		}
		config, err := c.RESTConfig()
		if err != nil {
			return err
		}
		client, err := rest.HTTPClientFor(config)
		if err != nil {
			return err
		}
		args := append(apiServerArgs(c, etcd, o.ListenAddress, ports[0], files), o.APIServerArgs...)
		r, err := c.start("kube-apiserver", args...)
		if err != nil {
			return err
		}
		return r.until(ctx, 3*time.Minute, func(ctx context.Context) error { return healthy(ctx, client, c.Host+"/readyz") })
	})
}

// apiServerFiles writes what the API server needs.
func (c *ControlPlane) apiServerFiles(address string) (f apiServerFiles, err error) {
	f.serving, err = c.authority.server("kube-apiserver", address, "127.0.0.1", "localhost", serviceFirst,
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
	if err != nil {
		return f, err
	}
	// What the API server shows kubelets; the group lets it use them as kubeadm's does.
	if f.kubelet, err = c.authority.client("kube-apiserver-kubelet-client", "kube-apiserver-kubelet-client", "system:masters"); err != nil {
		return f, err
	}
	if f.tokens, err = c.authority.signingKey("service-accounts"); err != nil {
		return f, err
	}
	f.audit = filepath.Join(c.Dir, "audit-policy.yaml")
	return f, os.WriteFile(f.audit, auditPolicy, 0o600)
}

// apiServerArgs are the flags of kube-apiserver: its defaults wherever the lab doesn't need something else.
func apiServerArgs(c *ControlPlane, etcd, address, port string, f apiServerFiles) []string {
	args := []string{
		"--etcd-servers=" + etcd,
		"--bind-address=" + address,
		"--secure-port=" + port,
		"--tls-cert-file=" + f.serving.cert,
		"--tls-private-key-file=" + f.serving.key,
		"--client-ca-file=" + c.CAFile,
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true",
		"--service-cluster-ip-range=" + serviceRange,
		"--service-account-issuer=" + issuer,
		"--service-account-key-file=" + f.tokens.cert,
		"--service-account-signing-key-file=" + f.tokens.key,
		"--kubelet-certificate-authority=" + c.CAFile,
		"--kubelet-client-certificate=" + f.kubelet.cert,
		"--kubelet-client-key=" + f.kubelet.key,
		"--kubelet-preferred-address-types=InternalIP",
		"--audit-policy-file=" + f.audit,
		"--audit-log-path=" + c.AuditLog,
		"--audit-log-mode=blocking", // an entry is there when the request's answer is
	}
	if net.ParseIP(address).IsLoopback() {
		// The Service "kubernetes" can't have a loopback address as its endpoint.
		args = append(args, "--endpoint-reconciler-type=none")
	}
	return args
}

// serviceAccountKey is the file that signs ServiceAccount tokens.
func (c *ControlPlane) serviceAccountKey() string {
	return filepath.Join(c.authority.dir, "service-accounts.key")
}

// String names the control plane in messages.
func (c *ControlPlane) String() string { return fmt.Sprintf("control plane %s (%s)", c.Host, c.Dir) }
