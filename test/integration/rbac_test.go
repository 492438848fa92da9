// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/headroom-dev/headroom/controller"
	"github.com/headroom-dev/headroom/test/serve"
	"github.com/headroom-dev/headroom/test/simnode"
)

// right is one verb on one resource; namespace and name are "" for all.
type right struct{ verb, resource, namespace, name string }

func (r right) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s/%s", r.verb, r.resource, r.namespace, r.name))
}

// granted are the rights that the manifests give to a ServiceAccount.
func granted(t *testing.T, account string, folders ...string) map[right]bool {
	t.Helper()
	rights := map[right]bool{}
	for _, folder := range folders {
		objects := rendered(t, folder)
		for key, text := range objects {
			kind, _, _ := strings.Cut(key, " ")
			if kind != "RoleBinding" && kind != "ClusterRoleBinding" {
				continue
			}
			binding := decode[rbacv1.RoleBinding](t, text)
			if len(binding.Subjects) != 1 || binding.Subjects[0].Name != account {
				continue
			}
			name := binding.RoleRef.Name
			if binding.Namespace != "" {
				name = binding.Namespace + "/" + name
			}
			role := decode[rbacv1.Role](t, objects[binding.RoleRef.Kind+" "+name])
			for _, rule := range role.Rules {
				for r := range flattened(rule, binding.Namespace) {
					rights[r] = true
				}
			}
		}
	}
	return rights
}

func flattened(rule rbacv1.PolicyRule, namespace string) map[right]bool {
	names := rule.ResourceNames
	if len(names) == 0 {
		names = []string{""}
	}
	rights := map[right]bool{}
	for _, group := range rule.APIGroups {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
				for _, name := range names {
					rights[right{verb, qualified(resource, group), namespace, name}] = true
				}
			}
		}
	}
	return rights
}

func qualified(resource, group string) string {
	if group == "" {
		return resource
	}
	return resource + "." + group
}

// use is what one request of Headroom's needed, and whether it was refused.
type use struct {
	right
	refused bool
}

// usesSince reads the audit log from its n-th entry on.
func usesSince(t *testing.T, n int) (uses []use) {
	t.Helper()
	for _, event := range auditEvents(t)[n:] {
		ref := event.ObjectRef
		if event.User.Username != headroomUser || ref.Resource == "" {
			continue
		}
		resource := ref.Resource
		if ref.Subresource != "" {
			resource += "/" + ref.Subresource
		}
		uses = append(uses, use{right{event.Verb, qualified(resource, ref.APIGroup), ref.Namespace, ref.Name}, event.ResponseStatus.Code == 403})
	}
	return uses
}

func (r right) covers(u right) bool {
	return r.verb == u.verb && r.resource == u.resource && (r.namespace == "" || r.namespace == u.namespace) && (r.name == "" || r.name == u.name)
}

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
	p := startHeadroom(t) // makes the CA, registers, gets tokens for kubelets
	awaitWebhook(t, p)
	wantEvent(t, "PolicyInvalid", "Sometimes")
	eventually(t, 20*time.Second, "an Event about the full node", func() bool {
		events, err := shared.client.CoreV1().Events("default").List(t.Context(), metav1.ListOptions{FieldSelector: "involvedObject.name=sim-full,reason=ImageStorageBelowEvictionLine"})
		return err == nil && len(events.Items) > 0
	})
	oldTaint(t, "sim-full")
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

func TestRightsAreNarrow(t *testing.T) {
	for _, account := range []string{"headroom", "headroom-kubelet-reader"} {
		rights := granted(t, account, "base", "dev")
		if len(rights) == 0 {
			t.Fatalf("no rights of %s found", account)
		}
		for r := range rights {
			if strings.Contains(r.verb+r.resource, "*") {
				t.Errorf("%s: %s is a wildcard", account, r)
			}
			if strings.HasPrefix(r.resource, "secrets") && r.namespace != "headroom-system" {
				t.Errorf("%s: %s is about secrets outside of headroom-system", account, r)
			}
			if r.resource == "nodes/proxy" || strings.Contains(r.resource, "exec") {
				t.Errorf("%s: %s allows to run commands in pods", account, r)
			}
		}
	}
	want := map[right]bool{{"get", "nodes/stats", "", ""}: true, {"get", "nodes/configz", "", ""}: true}
	if diff := cmp.Diff(want, granted(t, "headroom-kubelet-reader", "base")); diff != "" {
		t.Errorf("rights of what is sent to kubelets (-want +got):\n%s", diff)
	}
}

// TestEveryRuleIsNeeded takes one rule away and looks what breaks.
func TestEveryRuleIsNeeded(t *testing.T) {
	rule := func(role string, index int) []string { return []string{role, strconv.Itoa(index)} }
	cases := map[string]struct {
		without []string
		breaks  func(t *testing.T, p *serve.Process)
		ends    string // the error that the process ends with, if it does
	}{
		"nodes/stats: nothing is measured": {rule("clusterrole/headroom-kubelet-reader", 0), func(t *testing.T, p *serve.Process) {
			eventually(t, 20*time.Second, "kubelets refuse", func() bool {
				return p.Metric(t, "headroom_kubelet_poll_errors_total", "reason=forbidden") > 0 && p.Metric(t, "headroom_ledger_nodes", "tier=Measured") == 0
			})
		}, ""},
		"nodes/configz: the kubelet's defaults are assumed": {[]string{"clusterrole/headroom-kubelet-reader", "0/resources/1"}, func(t *testing.T, p *serve.Process) {
			eventually(t, 20*time.Second, "kubelets refuse", func() bool {
				return p.Metric(t, "headroom_kubelet_poll_errors_total", "reason=forbidden") > 0 && p.Metric(t, "headroom_ledger_nodes", "tier=Measured") > 0
			})
		}, ""},
		"nodes and pods: it ends and says what is missing": {
			rule("clusterrole/headroom", 0), nil,
			`error: .*cannot list nodes at cluster scope: ServiceAccount headroom-system/headroom needs list on nodes\n` +
				`error: cannot list pods at cluster scope: ServiceAccount headroom-system/headroom needs list on pods`,
		},
		"events about pulls: their sizes are not known, and all else works": {rule("clusterrole/headroom", 1), func(t *testing.T, p *serve.Process) {
			logged(t, p.Log, "Watch failed", "cannot list events at cluster scope: ServiceAccount headroom-system/headroom needs list on events")
			eventually(t, 20*time.Second, "every node is measured", func() bool {
				return p.Metric(t, "headroom_ledger_nodes", "tier=Measured") >= float64(len(shared.fleet.Nodes()))
			})
			if n := p.Metric(t, "headroom_pulled_images"); n != 0 {
				t.Errorf("%v sizes are known from events", n)
			}
		}, ""},
		"namespaces: it ends and says what is missing": {
			rule("clusterrole/headroom", 2), nil,
			`error: .*cannot list namespaces at cluster scope: ServiceAccount headroom-system/headroom needs list on namespaces`,
		},
		"the policy: it ends and says what is missing": {
			rule("-n=headroom-system role/headroom", 0), nil,
			`error: .*cannot list configmaps in namespace "headroom-system": ServiceAccount headroom-system/headroom needs list on configmaps`,
		},
		"tokens: nothing is measured": {rule("-n=headroom-system role/headroom", 1), func(t *testing.T, p *serve.Process) {
			eventually(t, 20*time.Second, "no kubelet is asked", func() bool {
				return p.Metric(t, "headroom_kubelet_poll_errors_total") > 0 && p.Metric(t, "headroom_ledger_nodes", "tier=Measured") == 0
			})
		}, ""},
		"making the Secret: never ready":  {rule("-n=headroom-system role/headroom", 2), neverReady, ""},
		"reading the Secret: never ready": {rule("-n=headroom-system role/headroom", 3), neverReady, ""},
		"the autoscaler's status: pools count as elastic, and all else works": {rule("-n=kube-system role/headroom-autoscaler", 0), func(t *testing.T, p *serve.Process) {
			logged(t, p.Log, "Watch failed", "cannot list configmaps in namespace", "kube-system", "ServiceAccount headroom-system/headroom needs list on configmaps")
			eventually(t, 20*time.Second, "it is ready", p.Ready)
		}, ""},
		"making events: they are lost, and counted": {rule("clusterrole/headroom", 3), func(t *testing.T, p *serve.Process) {
			setPolicyText(t, "mode: Sometimes")
			eventually(t, 20*time.Second, "an Event is dropped", func() bool { return p.Metric(t, "headroom_events_dropped_total") > 0 })
			logged(t, p.Log, "Event not written", "cannot create events", "headroom-system")
		}, ""},
		"replicasets: their pods' warnings are said on them": {rule("clusterrole/headroom", 5), func(t *testing.T, p *serve.Process) {
			warnedOwner(t, p, "ReplicaSet", "cannot get replicasets.apps", func(ns string) { create(t, ns, heldDeployment(1, "example.com/big:1")) })
		}, ""},
		"jobs: their pods' warnings are said on them": {rule("clusterrole/headroom", 6), func(t *testing.T, p *serve.Process) {
			warnedOwner(t, p, "Job", "cannot get jobs.batch", func(ns string) {
				create(t, ns, heldCronJob("example.com/big:1"))
				runNow(t, ns, "one")
			})
		}, ""},
		"patching nodes: a taint stays, and that is counted": {rule("clusterrole/headroom", 4), func(t *testing.T, p *serve.Process) {
			oldTaint(t, "sim-1")
			eventually(t, 20*time.Second, "a taint can't be taken away", func() bool { return p.Metric(t, "headroom_steering_taints_total", "outcome=failed") > 0 })
			logged(t, p.Log, "Taints of a node not written", "cannot patch nodes at cluster scope: ServiceAccount headroom-system/headroom needs patch on nodes")
		}, ""},
		"making the Lease: nobody leads":  {rule("-n=headroom-system role/headroom", 4), nobodyLeads("create"), ""},
		"reading the Lease: nobody leads": {rule("-n=headroom-system role/headroom", 5), nobodyLeads("get"), ""},
		"making the registration: it ends and says what is missing": {
			rule("clusterrole/headroom-out-of-cluster", 0), nil,
			`error: .*cannot create validatingwebhookconfigurations.admissionregistration.k8s.io at cluster scope: ServiceAccount headroom-system/headroom needs create on .*`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			kubectl(t, "delete", "secret", "-n", "headroom-system", "headroom-ca", "--ignore-not-found")
			kubectl(t, "delete", "lease", "-n", "headroom-system", controller.LeaseName, "--ignore-not-found")
			setPolicy(t, "mode: Warn")
			without(t, tc.without[0], tc.without[1])
			p := startUnmeasured(t, serve.Options{NotReady: true, Args: []string{"--sync-timeout", "3s"}})
			if tc.ends != "" {
				p.Wait(t, 30*time.Second)
				matches(t, "the end", errorLines(p.Log()), tc.ends)
				if p.ExitCode() != 2 {
					t.Errorf("exit code %d, want 2", p.ExitCode())
				}
				return
			}
			eventually(t, 20*time.Second, "it runs", func() bool { return healthy(p) })
			tc.breaks(t, p)
		})
	}
}

func healthy(p *serve.Process) bool {
	response, err := http.Get(p.HealthURL + "/healthz")
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func neverReady(t *testing.T, p *serve.Process) {
	t.Helper()
	logged(t, p.Log, "cannot", "secrets")
	for range 20 {
		if p.Ready() {
			t.Fatal("it is ready")
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func nobodyLeads(verb string) func(*testing.T, *serve.Process) {
	return func(t *testing.T, p *serve.Process) {
		t.Helper()
		logged(t, p.Log, "Leader election fails", "cannot "+verb+" leases.coordination.k8s.io")
		if p.Metric(t, "headroom_leader") != 0 {
			t.Error("it leads")
		}
		eventually(t, 20*time.Second, "it is ready nevertheless", p.Ready)
	}
}

// without takes a rule away until the test ends.
func without(t *testing.T, role, index string) {
	t.Helper()
	args := append([]string{"patch", "--type=json", "-p", `[{"op":"remove","path":"/rules/` + index + `"}]`}, strings.Fields(role)...)
	kubectl(t, args...)
	t.Cleanup(func() {
		if _, stderr, err := shared.plane.Kubectl(context.Background(), "apply", "--server-side", "--force-conflicts", "-k", manifests+"dev"); err != nil {
			t.Fatalf("%v\n%s", err, stderr)
		}
	})
}

// TestTokenForKubelets: whoever gets it, such as a node that was taken over, can
// read kubelets' figures and settings and nothing else.
func TestTokenForKubelets(t *testing.T) {
	account := "system:serviceaccount:headroom-system:headroom-kubelet-reader"
	may := func(verb, resource, subresource string) bool {
		review, err := shared.client.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: account, Groups: []string{"system:serviceaccounts", "system:serviceaccounts:headroom-system", "system:authenticated"},
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Resource: resource, Subresource: subresource},
		}}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return review.Status.Allowed
	}
	for _, verb := range []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "impersonate"} {
		for _, resource := range []string{"secrets", "pods", "nodes", "configmaps", "serviceaccounts", "namespaces", "users"} {
			if may(verb, resource, "") {
				t.Errorf("it may %s %s", verb, resource)
			}
		}
		for _, subresource := range []string{"proxy", "log", "metrics", "exec", "healthz", "pods", "checkpoint", "stats", "configz"} {
			wanted := verb == "get" && slices.Contains([]string{"stats", "configz"}, subresource)
			if may(verb, "nodes", subresource) != wanted {
				t.Errorf("it may %s nodes/%s: %v, want %v", verb, subresource, !wanted, wanted)
			}
		}
	}
	if out, _, err := shared.plane.Kubectl(t.Context(), "auth", "can-i", "list", "secrets", "-A", "--as", account); err == nil || strings.TrimSpace(out) != "no" {
		t.Errorf("kubectl says %q about listing secrets", out)
	}
	_, err := shared.client.CoreV1().ServiceAccounts("headroom-system").Get(t.Context(), "headroom-kubelet-reader", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		t.Error("there is no such account: the test says nothing")
	}
}
