// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"maps"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubeletconfig "k8s.io/kubelet/config/v1beta1"
	"sigs.k8s.io/yaml"
)

// kubeletFiles are what a kubelet's configuration points at.
type kubeletFiles struct {
	folder   string // what the kubelet writes goes below it
	caFile   string
	serving  keyPair
	cgroup   string
	cgroupV2 bool
}

// kubeletConfig is the configuration of a node's kubelet. What differs from a kubelet's defaults is there so that several fit on
// one machine, or so that tests don't wait.
func kubeletConfig(o NodeOptions, f kubeletFiles) *kubeletconfig.KubeletConfiguration {
	c := &kubeletconfig.KubeletConfiguration{
		TypeMeta:                 metav1.TypeMeta{APIVersion: "kubelet.config.k8s.io/v1beta1", Kind: "KubeletConfiguration"},
		ContainerRuntimeEndpoint: "unix://" + containerdSocket(f.folder),
		PodLogsDir:               filepath.Join(f.folder, "logs"),
		VolumePluginDir:          filepath.Join(f.folder, "volume-plugins"),
		TLSCertFile:              f.serving.cert,
		TLSPrivateKeyFile:        f.serving.key,
		Authentication: kubeletconfig.KubeletAuthentication{
			X509:      kubeletconfig.KubeletX509Authentication{ClientCAFile: f.caFile},
			Anonymous: kubeletconfig.KubeletAnonymousAuthentication{Enabled: new(false)},
			Webhook:   kubeletconfig.KubeletWebhookAuthentication{Enabled: new(true), CacheTTL: metav1.Duration{Duration: 5 * time.Second}},
		},
		Authorization: kubeletconfig.KubeletAuthorization{
			Mode: kubeletconfig.KubeletAuthorizationModeWebhook,
			Webhook: kubeletconfig.KubeletWebhookAuthorization{
				CacheAuthorizedTTL: metav1.Duration{Duration: 5 * time.Second}, CacheUnauthorizedTTL: metav1.Duration{Duration: time.Second},
			},
		},
		ClusterDomain:  "cluster.local",
		ClusterDNS:     []string{"10.96.0.10"},
		ResolverConfig: new(""),

		CgroupDriver:           "cgroupfs",
		CgroupRoot:             "/" + f.cgroup,
		CgroupsPerQOS:          new(true), // or pods would end up in a group outside of the root
		EnforceNodeAllocatable: []string{"none"},
		FailSwapOn:             new(false),
		OOMScoreAdj:            new(int32(0)), // a lower one needs CAP_SYS_RESOURCE
		MakeIPTablesUtilChains: new(false),

		NodeStatusUpdateFrequency: metav1.Duration{Duration: 2 * time.Second},
		NodeStatusReportFrequency: metav1.Duration{Duration: time.Minute}, // changes are reported at once all the same
		NodeLeaseDurationSeconds:  10,                                     // renewed every quarter of it
		NodeStatusMaxImages:       new(int32(o.NodeStatusMaxImages)),      //nolint:gosec // a small number

		ImageMinimumGCAge:                metav1.Duration{Duration: o.ImageMinimumGCAge},
		ImageGCHighThresholdPercent:      new(int32(o.ImageGCHighPercent)), //nolint:gosec // a percentage
		ImageGCLowThresholdPercent:       new(int32(o.ImageGCLowPercent)),  //nolint:gosec // a percentage
		EvictionHard:                     o.EvictionHard,
		EvictionSoft:                     o.EvictionSoft,
		EvictionSoftGracePeriod:          o.EvictionSoftGracePeriod,
		EvictionMinimumReclaim:           o.EvictionMinimumReclaim,
		EvictionPressureTransitionPeriod: metav1.Duration{Duration: o.PressureTransition},
	}
	if !f.cgroupV2 {
		c.FailCgroupV1 = new(false)
	}
	return c
}

// withDefaults fills in what tests usually want: signals that come and go within seconds, and lines that only the image disk
// crosses, whatever else happens on the machine.
func (o NodeOptions) withDefaults() NodeOptions {
	hard := map[string]string{
		"imagefs.available": "15%", "imagefs.inodesFree": "5%",
		"nodefs.available": "1%", "nodefs.inodesFree": "1%", "memory.available": "50Mi",
	}
	maps.Copy(hard, o.EvictionHard)
	o.EvictionHard = hard
	set(&o.DiskBytes, defaultDiskBytes)
	set(&o.ImageGCHighPercent, 85)
	set(&o.ImageGCLowPercent, 80)
	set(&o.PressureTransition, 20*time.Second)
	set(&o.ImageMinimumGCAge, 10*time.Second)
	set(&o.NodeStatusMaxImages, 50)
	return o
}

// set fills in a value that is not set.
func set[T comparable](value *T, otherwise T) {
	var zero T
	if *value == zero {
		*value = otherwise
	}
}

// writeKubeletConfig writes everything the node's kubelet reads and returns its flags.
func (n *Node) writeKubeletConfig() ([]string, error) {
	serving, err := n.plane.authority.server("kubelet-"+n.Name, n.InternalIP, n.Name)
	if err != nil {
		return nil, err
	}
	kubeconfig, err := n.plane.kubeconfigFor("node-"+n.Name+".kubeconfig", "system:node:"+n.Name, "system:nodes")
	if err != nil {
		return nil, err
	}
	content, err := yaml.Marshal(kubeletConfig(n.options, kubeletFiles{
		folder: n.state.Folder, caFile: n.plane.CAFile, serving: serving, cgroup: n.state.Cgroup, cgroupV2: cgroupV2(),
	}))
	if err != nil {
		return nil, err
	}
	path := filepath.Join(n.dir, "kubelet.yaml")
	root := n.kubeletRoot()
	return []string{
		"--config=" + path,
		"--kubeconfig=" + kubeconfig,
		"--root-dir=" + root,
		"--cert-dir=" + filepath.Join(root, "pki"),
		"--hostname-override=" + n.Name,
		"--node-ip=" + n.InternalIP,
		"--v=2",
	}, writeFiles(map[string][]byte{path: content})
}
