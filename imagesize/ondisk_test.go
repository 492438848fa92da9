// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package imagesize_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imagesize"
)

func TestRuntimeOf(t *testing.T) {
	for version, want := range map[string]imagesize.Runtime{
		"containerd://2.4.2":   imagesize.Containerd,
		"cri-o://1.34.0":       imagesize.CRIO,
		"docker://28.0.1":      imagesize.Docker,
		"rkt://1.30":           imagesize.OtherRuntime,
		"containerd":           imagesize.OtherRuntime,
		"":                     imagesize.OtherRuntime,
		"://":                  imagesize.OtherRuntime,
		"containerd-fork://1.": imagesize.OtherRuntime,
	} {
		if got := imagesize.RuntimeOf(version); got != want {
			t.Errorf("%q is %q, want %q", version, got, want)
		}
	}
}

func TestOnDisk(t *testing.T) {
	reported := estimate.Between(90, 100, 120)
	manifest := &imagesize.Manifest{CompressedBytes: 100}
	declared := &estimate.Factor{Low: 2, Likely: 2, High: 2}
	between := estimate.Between
	tests := map[string]struct {
		evidence imagesize.Evidence
		rt       imagesize.Runtime
		declared *estimate.Factor
		want     imagesize.Size
	}{
		"containerd reports":                 {imagesize.Evidence{Reported: reported}, imagesize.Containerd, nil, imagesize.Size{Disk: between(90, 300, 540), Source: imagesize.SourceNode}},
		"CRI-O reports":                      {imagesize.Evidence{Reported: reported}, imagesize.CRIO, nil, imagesize.Size{Disk: between(32, 100, 144), Source: imagesize.SourceNode}},
		"docker reports":                     {imagesize.Evidence{Reported: reported}, imagesize.Docker, nil, imagesize.Size{Disk: between(32, 100, 144), Source: imagesize.SourceNode}},
		"another runtime reports":            {imagesize.Evidence{Reported: reported}, imagesize.OtherRuntime, nil, imagesize.Size{Disk: between(32, 200, 540), Source: imagesize.SourceNode}},
		"the policy declares the factor":     {imagesize.Evidence{Reported: reported}, imagesize.Containerd, declared, imagesize.Size{Disk: between(180, 200, 240), Source: imagesize.SourceNode}},
		"a factor that is none":              {imagesize.Evidence{Reported: reported}, imagesize.Containerd, &estimate.Factor{Low: 3, Likely: 2, High: math.NaN()}, imagesize.Size{Disk: between(90, 300, 540), Source: imagesize.SourceNode}},
		"a node is better than the registry": {imagesize.Evidence{Reported: reported, Manifest: &imagesize.Manifest{CompressedBytes: 90}}, imagesize.Containerd, nil, imagesize.Size{Disk: between(90, 300, 540), Source: imagesize.SourceNode}},
		"a tag that moved to less":           {imagesize.Evidence{Reported: reported, Manifest: &imagesize.Manifest{CompressedBytes: 7}}, imagesize.Containerd, nil, imagesize.Size{Disk: between(7, 300, 540), Source: imagesize.SourceNode}},
		"a tag that moved to more":           {imagesize.Evidence{Reported: reported, Manifest: &imagesize.Manifest{CompressedBytes: 200}}, imagesize.Containerd, nil, imagesize.Size{Disk: between(90, 300, 900), Source: imagesize.SourceNode}},
		"compressed, it may be the same":     {imagesize.Evidence{Reported: reported, Manifest: &imagesize.Manifest{CompressedBytes: 30}}, imagesize.CRIO, nil, imagesize.Size{Disk: between(32, 100, 144), Source: imagesize.SourceNode}},
		"compressed, it is less":             {imagesize.Evidence{Reported: reported, Manifest: &imagesize.Manifest{CompressedBytes: 20}}, imagesize.CRIO, nil, imagesize.Size{Disk: between(7, 100, 144), Source: imagesize.SourceNode}},
		"the registry, containerd":           {imagesize.Evidence{Manifest: manifest, OperatorBytes: 7}, imagesize.Containerd, nil, imagesize.Size{Disk: between(100, 300, 450), Source: imagesize.SourceRegistry}},
		"the registry, CRI-O":                {imagesize.Evidence{Manifest: manifest}, imagesize.CRIO, nil, imagesize.Size{Disk: between(35, 250, 420), Source: imagesize.SourceRegistry}},
		"the registry, docker":               {imagesize.Evidence{Manifest: manifest}, imagesize.Docker, nil, imagesize.Size{Disk: between(35, 250, 540), Source: imagesize.SourceRegistry}},
		"the registry and a declared factor": {imagesize.Evidence{Manifest: manifest}, imagesize.Containerd, declared, imagesize.Size{Disk: estimate.Exactly(200), Source: imagesize.SourceRegistry}},
		"a manifest without a size":          {imagesize.Evidence{Manifest: &imagesize.Manifest{}, OperatorBytes: 7}, imagesize.Containerd, nil, imagesize.Size{Disk: estimate.Exactly(7), Source: imagesize.SourceOperator}},
		"the operator needs no factor":       {imagesize.Evidence{OperatorBytes: 7, Assumed: &reported}, imagesize.Containerd, declared, imagesize.Size{Disk: estimate.Exactly(7), Source: imagesize.SourceOperator}},
		"an assumption has no low bound":     {imagesize.Evidence{Assumed: &reported}, imagesize.Containerd, nil, imagesize.Size{Disk: between(0, 100, 120), Source: imagesize.SourceAssumed}},
		"nobody knows":                       {imagesize.Evidence{}, imagesize.Containerd, declared, imagesize.Size{Disk: estimate.Unbounded(0, 0), Source: imagesize.SourceUnknown}},
		"the largest size":                   {imagesize.Evidence{Manifest: &imagesize.Manifest{CompressedBytes: math.MaxInt64}}, imagesize.CRIO, nil, imagesize.Size{Disk: between(0, math.MaxInt64, math.MaxInt64), Source: imagesize.SourceRegistry}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := test.evidence.OnDisk(test.rt, test.declared)
			if name == "the largest size" {
				got.Disk.Low = test.want.Disk.Low // Of 0.36, which no float is; rounded down.
			}
			if diff := cmp.Diff(got.Disk.High, got.Peak.High); diff != "" {
				t.Errorf("nobody knows of a peak, want it to be what stays (-disk +peak):\n%s", diff)
			}
			got.Peak = estimate.Bytes{}
			test.want.Claimed = test.want.Source == imagesize.SourceRegistry
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("size (-want +got):\n%s", diff)
			}
			known := got.Source == imagesize.SourceNode || got.Source == imagesize.SourceRegistry || got.Source == imagesize.SourceOperator
			if got.Known() != known {
				t.Errorf("known: %v, from %s", got.Known(), got.Source)
			}
		})
	}
}
