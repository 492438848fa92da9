// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/headroom-dev/headroom/controller"
)

// connection says which API server to talk to, by kubectl's rules: --kubeconfig,
// then KUBECONFIG, then ~/.kube/config; inside a pod without any of these, the
// pod's own ServiceAccount.
type connection struct {
	kubeconfig string
	context    string
	namespace  string
}

func (c *connection) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&c.kubeconfig, "kubeconfig", "", "Path of a kubeconfig. Empty means KUBECONFIG, then ~/.kube/config, then the pod's own ServiceAccount.")
	flags.StringVar(&c.context, "context", "", "Context of the kubeconfig to use. Empty means its current one.")
}

func (c *connection) loader() clientcmd.ClientConfig {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.kubeconfig
	overrides := &clientcmd.ConfigOverrides{CurrentContext: c.context}
	overrides.Context.Namespace = c.namespace
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)
}

func (c *connection) config() (*rest.Config, error) {
	config, err := c.load()
	if err != nil {
		return nil, err
	}
	config = controller.ProtobufConfig(config)
	config.QPS = -1 // the API server's priority and fairness decides
	config.UserAgent = "headroom/" + version
	return config, nil
}

func (c *connection) load() (*rest.Config, error) {
	config, err := c.loader().ClientConfig()
	if err == nil {
		return config, nil
	}
	if clientcmd.IsEmptyConfig(err) && c.kubeconfig != "" {
		return nil, fmt.Errorf("kubeconfig %s: it names no cluster; name another one with --kubeconfig", c.kubeconfig)
	}
	if clientcmd.IsEmptyConfig(err) {
		if config, inCluster := rest.InClusterConfig(); inCluster == nil {
			return config, nil
		}
		return nil, errors.New("no cluster to talk to: no kubeconfig was found and this is not a pod; name one with --kubeconfig or KUBECONFIG")
	}
	return nil, c.explain(err)
}

// explain names the file: clientcmd's own errors wrap lines and repeat themselves.
func (c *connection) explain(err error) error {
	name := c.kubeconfig
	if name == "" {
		name = os.Getenv(clientcmd.RecommendedConfigPathEnvVar)
	}
	if name == "" {
		name = clientcmd.RecommendedHomeFile
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("kubeconfig %s: no such file; name another one with --kubeconfig", name)
	}
	said := strings.Join(strings.Fields(err.Error()), " ")
	if _, parseError, found := strings.Cut(said, "error loading config file "); found {
		_, parseError, _ = strings.Cut(parseError, ": ")
		// What a decoder says about Go's types helps nobody.
		if _, _, goTypes := strings.Cut(parseError, "Go value"); goTypes {
			parseError = "it is not an object with apiVersion and kind"
		}
		return fmt.Errorf("kubeconfig %s does not parse: %s; correct it or name another one with --kubeconfig", name, strings.TrimPrefix(parseError, "yaml: "))
	}
	return fmt.Errorf("kubeconfig %s: %s", name, said)
}

// defaultNamespace is what objects without a namespace are taken to be in.
func (c *connection) defaultNamespace() string {
	namespace, _, err := c.loader().Namespace()
	if err != nil || namespace == "" {
		return "default"
	}
	return namespace
}
