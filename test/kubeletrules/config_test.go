// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kubeletrules holds what the ledger makes of a kubelet's configuration against the kubelet's own functions, over
// random configurations: which thresholds are in force, where their lines are to the byte, when image garbage collection
// starts and how much it wants, when there is disk pressure, and when a pod is evicted after images were deleted.
package kubeletrules

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/klog/v2"
	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"
	kubeletconfig "k8s.io/kubernetes/pkg/kubelet/apis/config"
	kubeletscheme "k8s.io/kubernetes/pkg/kubelet/apis/config/scheme"
	"k8s.io/kubernetes/pkg/kubelet/eviction"
	evictionapi "k8s.io/kubernetes/pkg/kubelet/eviction/api"

	"github.com/headroom-dev/headroom/controller"
	"github.com/headroom-dev/headroom/kubelet"
	"github.com/headroom-dev/headroom/ledger"
)

func TestMain(m *testing.M) {
	klog.SetLogger(logr.Discard())
	os.Exit(m.Run())
}

// configurations are read and written by the kubelet's own scheme.
var scheme = sync.OnceValues(func() (*runtime.Scheme, *serializer.CodecFactory) {
	scheme, codecs, err := kubeletscheme.NewSchemeAndCodecs()
	if err != nil {
		panic(err)
	}
	return scheme, codecs
})

// chance makes the configurations of a seed.
type chance struct{ *rand.Rand }

func chanceOf(seed uint64) chance { return chance{rand.New(rand.NewPCG(seed, 11))} }

func (c chance) oneIn(n int) bool { return c.IntN(n) == 0 }

func pick[T any](c chance, from ...T) T { return from[c.IntN(len(from))] }

// bytes is a number of bytes of any magnitude up to 2^bits.
func (c chance) bytes(bits int) int64 { return 1 + c.Int64N(1<<(1+c.IntN(bits))) }

// amount is a value of a threshold, now and then one that no kubelet starts with.
func (c chance) amount() string {
	switch c.IntN(14) {
	case 0:
		return pick(c, "0%", "100%", "0.0%", "100.0%", "0.00000001%", "99.9999999%", "5%%", "1e1%", "0x1p3%")
	case 1:
		return pick(c, "0", "-1", "-5%", "101%", "much", "", "NaN%", "Inf%")
	case 2, 3, 4, 5:
		return strconv.Itoa(c.IntN(101)) + "%"
	case 6, 7:
		return strconv.FormatFloat(100*c.Float64(), 'f', c.IntN(9), 64) + "%"
	case 8:
		return pick(c, "1e3", "0.5Gi", "1500k", "9Ei", "123456789012345678901234567890", "1.5", "2500m")
	default:
		return strconv.Itoa(1+c.IntN(2000)) + pick(c, "", "k", "Ki", "M", "Mi", "G", "Gi", "T", "Ti")
	}
}

// signals are those of disks, and one that is not.
var signals = []string{
	"imagefs.available", "nodefs.available", "containerfs.available",
	"imagefs.inodesFree", "nodefs.inodesFree", "containerfs.inodesFree", "memory.available",
}

func (c chance) amounts(oneIn int) map[string]string {
	values := map[string]string{}
	for _, signal := range signals {
		if c.oneIn(oneIn) {
			values[signal] = c.amount()
		}
	}
	if len(values) == 0 && c.oneIn(2) {
		return nil
	}
	return values
}

// configuration is what an operator writes. Only what is set is written.
func (c chance) configuration() map[string]any {
	config := map[string]any{"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration"}
	set := func(field string, values map[string]string) {
		if values != nil {
			config[field] = values
		}
	}
	if !c.oneIn(8) {
		set("evictionHard", c.amounts(3))
	}
	soft := c.amounts(6)
	set("evictionSoft", soft)
	grace := map[string]string{}
	for signal := range soft {
		grace[signal] = pick(c, "1s", "30s", "0s")
		if strings.HasPrefix(signal, "containerfs.") {
			// With no grace a kubelet takes the soft one for the hard one, and lets a second hard one stand that it means to
			// overwrite with the threshold of the disk (UpdateContainerFsThresholds).
			grace[signal] = "1s"
		}
	}
	set("evictionSoftGracePeriod", grace)
	set("evictionMinimumReclaim", c.amounts(5))
	if c.oneIn(3) {
		config["mergeDefaultEvictionSettings"] = c.oneIn(2)
	}
	if c.oneIn(2) {
		high := pick(c, 100, 100, c.IntN(101))
		config["imageGCHighThresholdPercent"], config["imageGCLowThresholdPercent"] = high, c.IntN(high+1)
	}
	return config
}

// kubeletConfig is what a kubelet has in force: the configuration, decoded and defaulted by its scheme, and its defaults for
// evictionHard as cmd/kubelet/app/server.go, loadConfigFile, adds them.
func kubeletConfig(t *testing.T, config map[string]any) *kubeletconfig.KubeletConfiguration {
	t.Helper()
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	_, codecs := scheme()
	kc := &kubeletconfig.KubeletConfiguration{}
	if _, _, err := codecs.UniversalDecoder().Decode(text, nil, kc); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if kc.EvictionHard == nil {
		kc.EvictionHard = maps.Clone(eviction.DefaultEvictionHard)
	} else if kc.MergeDefaultEvictionSettings {
		for k, v := range eviction.DefaultEvictionHard {
			if _, exists := kc.EvictionHard[k]; !exists {
				kc.EvictionHard[k] = v
			}
		}
	}
	return kc
}

// configz is what that kubelet answers (cmd/kubelet/app/server.go, setConfigz).
func configz(t *testing.T, kc *kubeletconfig.KubeletConfiguration) []byte {
	t.Helper()
	types, _ := scheme()
	versioned := &kubeletv1beta1.KubeletConfiguration{}
	if err := types.Convert(kc, versioned, nil); err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]any{"kubeletconfig": versioned})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// both returns one configuration as the kubelet understands it and as we do. ok is false where no kubelet runs with it.
func both(t *testing.T, config map[string]any) (theirs []evictionapi.Threshold, ours ledger.Lines, kc *kubeletconfig.KubeletConfiguration, ok bool) {
	t.Helper()
	kc = kubeletConfig(t, config)
	theirs, err := eviction.ParseThresholdConfig(kc.EnforceNodeAllocatable, kc.EvictionHard, kc.EvictionSoft, kc.EvictionSoftGracePeriod, kc.EvictionMinimumReclaim)
	if err != nil {
		return nil, ledger.Lines{}, kc, false
	}
	for _, threshold := range theirs {
		if p := float64(threshold.Value.Percentage); p != p {
			return nil, ledger.Lines{}, kc, false // "NaN%", which the kubelet lets in, has no meaning.
		}
		if r := threshold.MinReclaim; r != nil && (float64(r.Percentage) != float64(r.Percentage) || float64(r.Percentage) > 1e9) {
			return nil, ledger.Lines{}, kc, false
		}
	}
	parsed, err := kubelet.ParseConfigz(configz(t, kc))
	if err != nil {
		t.Fatalf("a kubelet runs with it: %v\n%s", err, describe(config))
	}
	return theirs, controller.LinesOf(parsed), kc, true
}

func describe(config map[string]any) string {
	text, err := json.Marshal(config)
	return fmt.Sprint(string(text), err)
}
