// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
