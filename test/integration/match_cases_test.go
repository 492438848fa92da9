// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"maps"
	"testing"
)

// matchCase is one request, a dry run, and what of it is sent: webhook, operation and resource.
type matchCase struct{ kubectl, patch, stdin, want string }

func matchCases(t *testing.T) map[string]matchCase {
	t.Helper()
	cases := map[string]matchCase{}
	for _, part := range []map[string]matchCase{podMatches(t), workloadMatches(), rolloutMatches(), policyMatches()} {
		maps.Copy(cases, part)
	}
	return cases
}

func podMatches(t *testing.T) map[string]matchCase {
	t.Helper()
	const (
		pod     = "patch -n match pod/pod"
		asNode  = " --as=someone --as-group=system:masters --as-group=system:nodes"
		updated = "pods UPDATE pods"
		set     = "set image -n match pod/pod "
	)
	const b = "example.com/big:1"
	manifest := asJSON(t, podOf("new", "example.com/small:1"))
	return map[string]matchCase{
		"a pod that is made":            {kubectl: "create -n match -f -", stdin: manifest, want: "pods CREATE pods"},
		"a pod that a node makes":       {kubectl: "create -n match -f -" + asNode, stdin: manifest, want: "pods CREATE pods"},
		"a pod's label":                 {kubectl: pod, patch: `{"metadata":{"labels":{"a":"b"}}}`},
		"a pod's finalizer":             {kubectl: pod, patch: `{"metadata":{"finalizers":["example.com/x"]}}`},
		"a pod's deadline":              {kubectl: pod, patch: `{"spec":{"activeDeadlineSeconds":60}}`},
		"an image of a container":       {kubectl: set + "main=" + b, want: updated},
		"an image of an init container": {kubectl: set + "first=" + b, want: updated},
		"an image that a node changes":  {kubectl: set + "main=" + b + asNode},
		"one of two gates lifted":       {kubectl: pod, patch: `{"spec":{"schedulingGates":[{"name":"example.com/one"}]}}`},
		"the last gate lifted":          {kubectl: "patch -n match pod one-gate", patch: `{"spec":{"schedulingGates":null}}`, want: updated},
		"a debug container": {
			kubectl: pod + " --subresource=ephemeralcontainers", want: "pods UPDATE pods/ephemeralcontainers",
			patch: `{"spec":{"ephemeralContainers":[{"name":"debug","image":"example.com/big:1"}]}}`,
		},
		"a pod's status":       {kubectl: pod + " --subresource=status", patch: `{"status":{"phase":"Running"}}`},
		"a pod's deletion":     {kubectl: "delete -n match pod/pod"},
		"a lease":              {kubectl: "patch -n match lease/lease", patch: `{"spec":{"holderIdentity":"me"}}`},
		"a pod of kube-system": {kubectl: "create -n kube-system -f -", stdin: manifest},
		"a pod of ours":        {kubectl: "create -n headroom-system -f -", stdin: asJSON(t, restricted(podOf("new", "example.com/small:1")))},
	}
}

func workloadMatches() map[string]matchCase {
	cases := map[string]matchCase{}
	template := `{"spec":{"template":%s}}`
	for kind, within := range map[string]string{
		"deployment": template, "statefulset": template, "daemonset": template, "replicaset": template,
		"replicationcontroller": template, "cronjob": `{"spec":{"jobTemplate":{"spec":{"template":%s}}}}`, "podtemplate": `{"template":%s}`,
	} {
		on, want := "patch -n match "+kind+" "+kind, "workloads UPDATE "+kind+"s"
		for what, change := range map[string]struct{ patch, want string }{
			"an image":              {`{"spec":{"containers":[{"name":"main","image":"example.com/big:1"}]}}`, want},
			"an init container":     {`{"spec":{"initContainers":[{"name":"first","image":"example.com/big:1"}]}}`, want},
			"a pull policy":         {`{"spec":{"containers":[{"name":"main","image":"example.com/small:1","imagePullPolicy":"Never"}]}}`, want},
			"an image volume":       {`{"spec":{"volumes":[{"name":"v","image":{"reference":"example.com/big:1"}}]}}`, want},
			"another volume":        {`{"spec":{"volumes":[{"name":"v","emptyDir":{}}]}}`, want},
			"a node selector":       {`{"spec":{"nodeSelector":{"disk":"large"}}}`, want},
			"a toleration":          {`{"spec":{"tolerations":[{"operator":"Exists"}]}}`, want},
			"the operating system":  {`{"spec":{"os":{"name":"linux"}}}`, want},
			"a priority class":      {`{"spec":{"priorityClassName":"system-cluster-critical"}}`, want},
			"the node's network":    {`{"spec":{"hostNetwork":true}}`, want},
			"a port of the node":    {`{"spec":{"containers":[{"name":"main","image":"example.com/small:1","ports":[{"containerPort":80,"hostPort":80}]}]}}`, want},
			"a port":                {`{"spec":{"containers":[{"name":"main","image":"example.com/small:1","ports":[{"containerPort":80}]}]}}`, ""},
			"a label of its pods":   {`{"metadata":{"labels":{"team":"b"}}}`, want},
			"a variable":            {`{"spec":{"containers":[{"name":"main","image":"example.com/small:1","env":[{"name":"A","value":"b"}]}]}}`, ""},
			"a restart":             {`{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"now"}}}`, ""},
			"spread over the zones": {`{"spec":{"topologySpreadConstraints":[{"maxSkew":1,"topologyKey":"zone","whenUnsatisfiable":"ScheduleAnyway"}]}}`, want},
		} {
			cases[kind+": "+what] = matchCase{kubectl: on, patch: fmt.Sprintf(within, change.patch), want: change.want}
		}
		cases[kind+": a label of its own"] = matchCase{kubectl: on, patch: `{"metadata":{"labels":{"a":"b"}}}`}
	}
	for _, kind := range []string{"deployment", "statefulset", "replicaset", "replicationcontroller"} {
		on := "patch -n match " + kind + " " + kind
		cases[kind+": more replicas"] = matchCase{kubectl: on, patch: `{"spec":{"replicas":3}}`, want: "workloads UPDATE " + kind + "s"}
		cases[kind+": a status"] = matchCase{kubectl: on + " --subresource=status", patch: `{"status":{"observedGeneration":1}}`}
		cases[kind+": scaled up"] = matchCase{kubectl: "scale -n match " + kind + " " + kind + " --replicas=3", want: "workloads UPDATE " + kind + "s/scale"}
		cases[kind+": scaled to what it is"] = matchCase{kubectl: "scale -n match " + kind + " " + kind + " --replicas=0"}
	}
	cases["deployment: scaled down"] = matchCase{kubectl: "scale -n match deployment two --replicas=1"}
	cases["deployment: scaled from two"] = matchCase{kubectl: "scale -n match deployment two --replicas=3", want: "workloads UPDATE deployments/scale"}
	cases["deployment: scaled by an autoscaler"] = matchCase{
		kubectl: "scale -n match deployment two --replicas=3 --as=system:serviceaccount:kube-system:horizontal-pod-autoscaler --as-group=system:masters",
		want:    "workloads UPDATE deployments/scale",
	}
	for _, kind := range []string{"job", "cronjob"} {
		on := "patch -n match " + kind + " " + kind
		cases[kind+": no longer suspended"] = matchCase{kubectl: on, patch: `{"spec":{"suspend":false}}`, want: "workloads UPDATE " + kind + "s"}
	}
	for what, change := range map[string]matchCase{
		"no longer suspended in its jobs": {kubectl: "waiting", patch: `{"spec":{"jobTemplate":{"spec":{"suspend":false}}}}`, want: "workloads UPDATE cronjobs"},
		"not suspended one level up":      {kubectl: "cronjob", patch: `{"spec":{"jobTemplate":{"spec":{"suspend":false}}}}`},
		"any number may succeed":          {kubectl: "waiting", patch: `{"spec":{"jobTemplate":{"spec":{"completions":null}}}}`, want: "workloads UPDATE cronjobs"},
		"more may succeed":                {kubectl: "waiting", patch: `{"spec":{"jobTemplate":{"spec":{"completions":3}}}}`, want: "workloads UPDATE cronjobs"},
		"fewer may succeed":               {kubectl: "waiting", patch: `{"spec":{"jobTemplate":{"spec":{"completions":1}}}}`},
		"more than run at a time":         {kubectl: "waiting", patch: `{"spec":{"jobTemplate":{"spec":{"parallelism":2,"completions":9}}}}`},
		"one at a time":                   {kubectl: "waiting", patch: `{"spec":{"jobTemplate":{"spec":{"parallelism":null}}}}`},
	} {
		change.kubectl = "patch -n match cronjob " + change.kubectl
		cases["cronjob: "+what] = change
	}
	cases["job: more at a time"] = matchCase{kubectl: "patch -n match job/three", patch: `{"spec":{"parallelism":3}}`, want: "workloads UPDATE jobs"}
	cases["job: more at a time than have to succeed"] = matchCase{kubectl: "patch -n match job/job", patch: `{"spec":{"parallelism":3}}`}
	cases["job: fewer at a time"] = matchCase{kubectl: "patch -n match job/job", patch: `{"spec":{"parallelism":0}}`}
	cases["job: a label of its own"] = matchCase{kubectl: "patch -n match job/job", patch: `{"metadata":{"labels":{"a":"b"}}}`}
	cases["a deployment of kube-system"] = matchCase{kubectl: "create -n kube-system deployment made --image=example.com/small:1"}
	cases["a deployment of ours"] = matchCase{kubectl: "create -n headroom-system deployment made --image=example.com/small:1"}
	for name, args := range map[string]string{
		"deployments": "create -n match deployment made --image=example.com/small:1",
		"jobs":        "create -n match job made --image=example.com/small:1",
		"cronjobs":    "create -n match cronjob made --image=example.com/small:1 --schedule=@daily",
	} {
		cases[name+": made"] = matchCase{kubectl: args, want: "workloads CREATE " + name}
	}
	return cases
}

// rolloutMatches are of a kind of which only the policy knows where its template is, if it has any.
func rolloutMatches() map[string]matchCase {
	const on, want = "patch -n match rollout ", "workloads UPDATE rollouts"
	return map[string]matchCase{
		"rollout: an image":                       {kubectl: on + "rollout", patch: `{"spec":{"template":{"spec":{"containers":[]}}}}`, want: want},
		"rollout: what no one else has":           {kubectl: on + "rollout", patch: `{"spec":{"strategy":"x"}}`, want: want},
		"rollout: a field more":                   {kubectl: on + "rollout", patch: `{"more":1}`, want: want},
		"rollout: no spec any more":               {kubectl: on + "rollout", patch: `{"spec":null}`, want: want},
		"rollout: a status":                       {kubectl: on + "rollout", patch: `{"status":{"a":1}}`},
		"rollout: a label":                        {kubectl: on + "rollout", patch: `{"metadata":{"labels":{"a":"b"}}}`},
		"a strange shape: a label":                {kubectl: on + "strange", patch: `{"metadata":{"labels":{"a":"b"}}}`},
		"a strange shape: what is no map changes": {kubectl: on + "strange", patch: `{"spec":7}`, want: want},
		"rollout: made": {
			kubectl: "create -f -", stdin: "{apiVersion: example.com/v1, kind: Rollout, metadata: {name: x, namespace: match}, spec: []}",
			want: "workloads CREATE rollouts",
		},
	}
}

func policyMatches() map[string]matchCase {
	const own, changed = "patch -n headroom-system configmap headroom-policy", "policy UPDATE configmaps"
	return map[string]matchCase{
		"the policy changes":                      {kubectl: own, patch: `{"data":{"policy.yaml":""}}`, want: changed},
		"the policy goes":                         {kubectl: "delete -n headroom-system configmap headroom-policy", want: "policy DELETE configmaps"},
		"another ConfigMap of ours":               {kubectl: "patch -n headroom-system configmap other", patch: `{"data":{"a":"b"}}`},
		"another ConfigMap of ours goes":          {kubectl: "delete -n headroom-system configmap other"},
		"a ConfigMap of that name elsewhere":      {kubectl: "patch -n match configmap headroom-policy", patch: `{"data":{"a":"b"}}`},
		"a ConfigMap of that name elsewhere goes": {kubectl: "delete -n match configmap headroom-policy"},
		"a namespace with a mode": {
			kubectl: "create -f -", stdin: "{apiVersion: v1, kind: Namespace, metadata: {name: x, labels: {headroom.dev/mode: Warn}}}", want: "policy CREATE namespaces",
		},
		"a namespace without one":     {kubectl: "create namespace x"},
		"a namespace's mode changes":  {kubectl: "label namespace match --overwrite headroom.dev/mode=Enforce", want: "policy UPDATE namespaces"},
		"a namespace's mode goes":     {kubectl: "label namespace match headroom.dev/mode-", want: "policy UPDATE namespaces"},
		"a namespace's other label":   {kubectl: "label namespace match team=b --overwrite"},
		"a label that is much alike":  {kubectl: "label namespace match headroom.dev.example.com/mode=x"},
		"our own namespace's mode":    {kubectl: "label namespace headroom-system headroom.dev/mode=Off", want: "policy UPDATE namespaces"},
		"a namespace without a label": {kubectl: "label namespace default headroom.dev/mode=Off", want: "policy UPDATE namespaces"},
		"a namespace's deletion":      {kubectl: "delete namespace match"},
	}
}
