// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"regexp"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/headroom-dev/headroom/ledger"
)

// AutoscalerOf reads what a cluster-autoscaler tells of itself. That there is such a ConfigMap says that there is one, whatever
// the text is, and however old: an autoscaler that is down for a day still wants the pods that wait for it, and the time in
// the text is of another clock. One that was taken away for good leaves a ConfigMap that has to be deleted. Its node groups
// are those that can be read.
//
// The text is at most as large as the API server lets a ConfigMap be, a MiB, and is read in time and memory proportional to
// that: the YAML library limits depth and aliases, and the expressions don't backtrack.
func AutoscalerOf(c *corev1.ConfigMap) ledger.Autoscaler {
	return ledger.Autoscaler{Present: true, Groups: nodeGroups(c.Data[autoscalerKey])}
}

func nodeGroups(status string) []ledger.NodeGroup {
	if groups, is := groupsOfYAML(status); is {
		return groups
	}
	return groupsOfText(status)
}

// autoscalerStatus is the status since cluster-autoscaler 1.30 (clusterstate/api.ClusterAutoscalerStatus), as far as it is
// read here.
type autoscalerStatus struct {
	AutoscalerStatus string `json:"autoscalerStatus"`
	NodeGroups       []struct {
		Name   string `json:"name"`
		Health struct {
			NodeCounts struct {
				Registered struct {
					Total int `json:"total"`
				} `json:"registered"`
			} `json:"nodeCounts"`
			MaxSize int `json:"maxSize"`
		} `json:"health"`
	} `json:"nodeGroups"`
}

func groupsOfYAML(text string) (groups []ledger.NodeGroup, is bool) {
	var status autoscalerStatus
	if err := yaml.Unmarshal([]byte(text), &status); err != nil || status.AutoscalerStatus == "" && len(status.NodeGroups) == 0 {
		return nil, false
	}
	for _, g := range status.NodeGroups {
		groups = append(groups, ledger.NodeGroup{Name: g.Name, Nodes: max(g.Health.NodeCounts.Registered.Total, 0), MaxNodes: max(g.Health.MaxSize, 0)})
	}
	return groups, true
}

// What is read of the status before cluster-autoscaler 1.30, which is written for people (clusterstate/api.GetReadableString):
//
//	NodeGroups:
//	  Name:        pool-1
//	  Health:      Healthy (ready=1 unready=0 ... registered=1 longUnregistered=0 cloudProviderTarget=1 (minSize=1, maxSize=3))
var (
	groupName       = regexp.MustCompile(`^\s*Name:\s+(\S|\S.*\S)\s*$`)
	groupRegistered = regexp.MustCompile(`\bregistered=(\d+)\b`)
	groupMaxSize    = regexp.MustCompile(`\bmaxSize=(\d+)\b`)
)

// groupsOfText reads a group where its name and its health line are there, in this order.
func groupsOfText(text string) (groups []ledger.NodeGroup) {
	name := ""
	for line := range strings.Lines(text) {
		if match := groupName.FindStringSubmatch(line); match != nil {
			name = match[1]
			continue
		}
		registered, most := groupRegistered.FindStringSubmatch(line), groupMaxSize.FindStringSubmatch(line)
		if name == "" || registered == nil || most == nil {
			continue
		}
		group := ledger.NodeGroup{Name: name}
		// Digits: the only error is that they are too many, and then it is the largest number.
		group.Nodes, _ = strconv.Atoi(registered[1])
		group.MaxNodes, _ = strconv.Atoi(most[1])
		groups, name = append(groups, group), ""
	}
	return groups
}
