// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"maps"
	"net"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/controller"
	"github.com/headroom-dev/headroom/test/simnode"
)

// TestRightsAreThoseThatAreUsed leads Headroom through all that it does, in and
// out of the cluster, and compares the requests in the audit log with the rights
// that the manifests give: each right is used, and no request is refused.
func TestRightsAreThoseThatAreUsed(t *testing.T) {
	start := len(auditEvents(t))
	kubectl(t, "delete", "secret", "-n", "headroom-system", "headroom-ca", "--ignore-not-found")
	kubectl(t, "delete", "lease", "-n", "headroom-system", controller.LeaseName, "--ignore-not-found")
	full := tenGi()
	full.OtherUsedBytes = 9 << 30
	startNode(t, simnode.NodeSpec{Name: "sim-full", Config: full}) // an Event about a node
	setPolicyText(t, "mode: Sometimes")                            // an Event about the policy

	outOfCluster(t)
	inCluster(t)

	uses := usesSince(t, start)
	rights := granted(t, "headroom", "base", "dev")
	// Every user may ask this about themselves (system:basic-user).
	rights[right{"create", "selfsubjectaccessreviews.authorization.k8s.io", "", ""}] = true
	unused := maps.Clone(rights)
	for _, u := range uses {
		allowed := false
		for r := range rights {
			if r.covers(u.right) {
				allowed = true
				delete(unused, r)
			}
		}
		if u.refused || !allowed {
			t.Errorf("Headroom asked for %s: refused %v, granted by the manifests %v", u.right, u.refused, allowed)
		}
	}
	for r := range unused {
		t.Errorf("the manifests grant %s, which is never used", r)
	}
	t.Logf("%d requests of %d rights", len(uses), len(rights))
}

// outOfCluster does all that a process with --webhook-url does, once.
func outOfCluster(t *testing.T) {
	t.Helper()
	oldTaint(t, "sim-full")
	p := startHeadroom(t) // makes the CA, registers, gets tokens for kubelets
	awaitWebhook(t, p)
	wantEvent(t, "PolicyInvalid", "Sometimes")
	eventually(t, 20*time.Second, "an Event about the full node", func() bool {
		events, err := shared.client.CoreV1().Events("default").List(t.Context(), metav1.ListOptions{FieldSelector: "involvedObject.name=sim-full,reason=ImageStorageBelowEvictionLine"})
		return err == nil && len(events.Items) > 0
	})
	eventually(t, 20*time.Second, "the old taint is gone", func() bool { return !hasTaint(t, "sim-full") })
	setPolicy(t, "mode: Warn")
	awaitMode(t, p, "Warn")
	namespace(t, "spoken-up")
	create(t, "spoken-up", heldDeployment(2, "example.com/big:1"))
	create(t, "spoken-up", heldCronJob("example.com/big:1"))
	runNow(t, "spoken-up", "one")
	eventually(t, 20*time.Second, "Events on the Deployment and the CronJob", func() bool { return len(saidIn(t, "spoken-up")) == 2 })
	before := bundle(t, configurationName)
	// The authority writes a new CA into a Secret that lacks one; the configuration then has to trust that, too.
	kubectl(t, "patch", "secret", "-n", "headroom-system", "headroom-ca", "--type=merge", "-p", `{"data":{"ca.crt":"","tls.crt":"","tls.key":""}}`)
	eventually(t, 30*time.Second, "the new CA is trusted", func() bool { return bundle(t, configurationName) != before })
	p.Kill()
	// An API server before 1.34 has informers list before they watch; so does this.
	t.Setenv("KUBE_FEATURE_WatchListClient", "false")
	next := startHeadroom(t) // takes the registration over, and removes it
	awaitWebhook(t, next)
	next.Stop()
}

// inCluster runs the process as the Deployment does, but for where it runs: the
// API server can't reach the Service, but the configuration is kept.
func inCluster(t *testing.T) {
	t.Helper()
	kubectl(t, "apply", "-f", manifests+"base/rbac.yaml", "-f", manifests+"base/webhook.yaml")
	t.Cleanup(func() {
		_, _, _ = shared.plane.Kubectl(context.Background(), "delete", "-f", manifests+"base/rbac.yaml", "-f", manifests+"base/webhook.yaml")
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	p := startHeadroom(t, "--webhook-url", "", "--webhook-address", address)
	eventually(t, 20*time.Second, "the caBundle is in place", func() bool { return bundle(t, "headroom") != "" })
	p.Stop()
}

func bundle(t *testing.T, configuration string) string {
	t.Helper()
	c, err := shared.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(t.Context(), configuration, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return string(c.Webhooks[0].ClientConfig.CABundle)
}
