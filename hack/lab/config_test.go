// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

func TestConfigurations(t *testing.T) {
	const folder = "/var/lib/headroom-lab/1/node1"
	files := kubeletFiles{
		folder: folder, caFile: "/lab/ca.crt", serving: keyPair{cert: "/lab/kubelet.crt", key: "/lab/kubelet.key"}, cgroup: "headroom1-node1",
	}
	kubelet := func(o NodeOptions, f kubeletFiles) func() ([]byte, error) {
		return func() ([]byte, error) { return yaml.Marshal(kubeletConfig(o.withDefaults(), f)) }
	}
	containerd := containerdConfig{
		Root: folder + "/images/containerd", State: folder + "/containerd", Socket: folder + "/containerd.sock",
		PauseImage: RegistryHost + "/" + pauseImage, HostsDir: folder + "/hosts", CNIBin: "/usr/lib/cni", CNIConf: folder + "/cni",
	}
	discarding := containerd
	discarding.DiscardUnpackedLayers = true
	v2 := files
	v2.cgroupV2 = true
	tests := map[string]func() ([]byte, error){
		"kubelet.yaml": kubelet(NodeOptions{}, files),
		"kubelet-options.yaml": kubelet(NodeOptions{
			EvictionHard: map[string]string{"imagefs.available": "100Mi"},
			EvictionSoft: map[string]string{"imagefs.available": "30%"}, EvictionSoftGracePeriod: map[string]string{"imagefs.available": "1m"},
			ImageGCHighPercent: 60, ImageGCLowPercent: 50, PressureTransition: time.Minute, ImageMinimumGCAge: time.Second, NodeStatusMaxImages: -1,
		}, v2),
		"containerd.toml":            func() ([]byte, error) { return render("test", containerdTemplate, containerd) },
		"containerd-discarding.toml": func() ([]byte, error) { return render("test", containerdTemplate, discarding) },
		"cni.conflist": func() ([]byte, error) {
			return render("test", cniTemplate, cniConfig{Subnet: "10.88.0.0/24", DataDir: "/data"})
		},
		"hosts.toml": func() ([]byte, error) { return hostsFile("10.77.1.1:5000"), nil },
	}
	for name, configuration := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := configuration()
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name+".golden")
			if *update {
				if err := writeFiles(map[string][]byte{path: got}); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("differs from %s (-want +got); run with -update if that is right:\n%s", path, diff)
			}
		})
	}
}
