// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/headroom-dev/headroom/controller"
	"github.com/headroom-dev/headroom/ledger"
	"github.com/headroom-dev/headroom/policy"
	"github.com/headroom-dev/headroom/webhook"
)

// The files of docs/reference are made from the code by these tests, with
// -update, and compared with it otherwise.
const reference = "../../docs/reference/"

func subcommands() []*cobra.Command {
	return slices.DeleteFunc(newRootCommand().Commands(), func(c *cobra.Command) bool { return c.Name() == "help" || c.Hidden })
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{nil, {"serve"}, {"nodes"}, {"images"}, {"check"}} {
		name := strings.Join(append([]string{"headroom"}, args...), "-")
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			root := newRootCommand()
			root.SetOut(&out)
			root.SetArgs(append(args, "--help"))
			if err := root.ExecuteContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			golden(t, "testdata/help-"+name+".txt", out.String())
		})
	}
	if n := len(subcommands()); n != 4 {
		t.Errorf("%d subcommands: give each a golden file of its help", n)
	}
}

func TestFlagsReference(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Flags\n\nMade from the code by `make update`.\n")
	for _, command := range subcommands() {
		fmt.Fprintf(&b, "\n## headroom %s\n\n%s.\n\n| Flag | Default | Meaning |\n|---|---|---|\n", command.Name(), command.Short)
		command.InitDefaultHelpFlag()
		command.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" || !strings.HasSuffix(f.Usage, ".") && f.Name != "help" {
				t.Errorf("%s --%s: its usage %q is no sentence", command.Name(), f.Name, f.Usage)
			}
			if f.Name == "help" {
				return
			}
			name := "`--" + f.Name + "`"
			if f.Shorthand != "" {
				name = "`-" + f.Shorthand + "`, " + name
			}
			preset := f.DefValue
			if preset == "[]" {
				preset = ""
			}
			if preset != "" {
				preset = "`" + preset + "`"
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", name, preset, strings.ReplaceAll(f.Usage, "|", `\|`))
		})
	}
	golden(t, reference+"flags.md", b.String())
}

func TestPolicyReference(t *testing.T) {
	golden(t, reference+"policy.md", policy.Reference())
}

// captor is a Registerer that keeps what is registered.
type captor struct{ all []prometheus.Collector }

func (c *captor) Register(x prometheus.Collector) error { c.all = append(c.all, x); return nil }

func (c *captor) MustRegister(xs ...prometheus.Collector) { c.all = append(c.all, xs...) }

func (c *captor) Unregister(prometheus.Collector) bool { return false }

// described reads a Desc, which shows itself as text only.
var described = regexp.MustCompile(`fqName: "([^"]+)", help: "((?:[^"\\]|\\.)*)", unit: "[^"]*", constLabels: \{\}, variableLabels: \{([^}]*)\}`)

func TestMetricsReference(t *testing.T) {
	var registered captor
	webhook.NewMetrics(&registered)
	controller.NewPullMetrics(&registered)
	controller.NewInformerDelay(&registered, logr.Discard())
	controller.NewSteeringMetrics(&registered)
	controller.NewNoticeMetrics(&registered)
	l := ledger.New()
	newFleetKeeper(l.Snapshot, policy.Default, &registered, logr.Discard())
	source, err := controller.NewPolicySource(fake.NewClientset(), controller.PolicySourceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	registered.MustRegister(controller.NewCollector(controller.CollectorOptions{
		Snapshot: l.Snapshot, PerNode: true, Policy: source, Alert: controller.NewAlert(logr.Discard()),
	}))
	var rows []string
	for _, collector := range registered.all {
		descs := make(chan *prometheus.Desc, 100)
		collector.Describe(descs)
		close(descs)
		for desc := range descs {
			found := described.FindStringSubmatch(desc.String())
			if found == nil {
				t.Fatalf("no name, help and labels in %s", desc)
			}
			name, help, labels := found[1], strings.ReplaceAll(found[2], `\"`, `"`), found[3]
			kind := "gauge"
			if strings.HasSuffix(name, "_total") {
				kind = "counter"
			}
			if _, isHistogram := collector.(prometheus.Histogram); isHistogram && kind == "gauge" {
				if _, isGauge := collector.(prometheus.Gauge); !isGauge {
					kind = "histogram"
				}
			}
			if _, isHistogram := collector.(*prometheus.HistogramVec); isHistogram {
				kind = "histogram"
			}
			if labels != "" {
				labels = "`" + strings.ReplaceAll(labels, ",", "`, `") + "`"
			}
			if !strings.HasPrefix(name, "headroom_") || !strings.HasSuffix(help, ".") {
				t.Errorf("%s: want the prefix headroom_ and a help that is a sentence, got %q", name, help)
			}
			rows = append(rows, fmt.Sprintf("| `%s` | %s | %s | %s |\n", name, kind, labels, help))
		}
	}
	slices.Sort(rows)
	golden(t, reference+"metrics.md", `# Metrics

Made from the code by `+"`make update`"+`. They are served at `+"`--metrics-address`"+`, next to the metrics of the Go runtime and of controller-runtime.
The series with the label `+"`node`"+` can be switched off with `+"`--node-metrics=false`"+`. No other label holds a name from the cluster.

| Metric | Type | Labels | Meaning |
|---|---|---|---|
`+strings.Join(rows, ""))
}
