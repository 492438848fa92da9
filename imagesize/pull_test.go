// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package imagesize_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headroom-dev/headroom/estimate"
	"github.com/headroom-dev/headroom/imagesize"
)

const (
	mib   = int64(1) << 20
	block = int64(4096)
)

// image is made of layers of that many compressed MiB each, which unpack to twice as
// many and 100 files. Equal names of layers are equal blobs.
func image(names string, compressedMiB ...int64) *imagesize.Manifest {
	m := &imagesize.Manifest{DocumentBytes: 1}
	for i, size := range compressedMiB {
		m.Layers = append(m.Layers, imagesize.Layer{
			Digest: names[i : i+1], ChainID: names[:i+1], CompressedBytes: size * mib,
			Unpacked: imagesize.Unpacked{DiskBytes: estimate.Exactly(2 * size * mib), Inodes: 100},
		})
		m.CompressedBytes += size * mib
	}
	return m
}

var (
	keeps    = imagesize.Learned{Kept: &estimate.Factor{Low: 1, Likely: 1, High: 1}}
	discards = imagesize.Learned{Kept: &estimate.Factor{}}
)

// inMiB rounds to the nearest: what each image and layer has of its own is less.
func inMiB(b estimate.Bytes) [3]int64 {
	round := func(n int64) int64 { return (n + mib/2) / mib }
	return [3]int64{round(b.Low), round(b.Likely), round(b.High - 2*mib)} // The high bound has up to two more of its own.
}

func shared(m, with *imagesize.Manifest) imagesize.There {
	s := m.SharedWith(with)
	return imagesize.There{Sure: s, Likely: s, Possible: s}
}

func TestPullOfLayers(t *testing.T) {
	app := image("ab", 10, 20)
	likelyOnly := shared(app, image("a", 10))
	likelyOnly.Sure = imagesize.Shared{}
	tests := map[string]struct {
		image      *imagesize.Manifest
		rt         imagesize.Runtime
		learned    imagesize.Learned
		declared   *estimate.Factor
		there      imagesize.There
		disk, peak [3]int64
	}{
		"containerd: whether blobs stay is not known":               {image: app, rt: imagesize.Containerd, disk: [3]int64{60, 90, 90}, peak: [3]int64{90, 90, 90}},
		"containerd that was seen to keep blobs":                    {image: app, rt: imagesize.Containerd, learned: keeps, disk: [3]int64{90, 90, 90}, peak: [3]int64{90, 90, 90}},
		"containerd that was seen to discard them":                  {image: app, rt: imagesize.Containerd, learned: discards, disk: [3]int64{60, 60, 60}, peak: [3]int64{90, 90, 90}},
		"CRI-O stages blobs, perhaps elsewhere":                     {image: app, rt: imagesize.CRIO, disk: [3]int64{60, 60, 60}, peak: [3]int64{60, 60, 90}},
		"docker keeps unpacked layers, in new ones both":            {image: app, rt: imagesize.Docker, disk: [3]int64{60, 60, 90}, peak: [3]int64{60, 60, 90}},
		"a declared factor counts compressed bytes":                 {image: app, rt: imagesize.Containerd, declared: &estimate.Factor{Low: 1, Likely: 2, High: 3}, disk: [3]int64{30, 60, 88}, peak: [3]int64{30, 60, 88}},
		"its base is there":                                         {image: app, rt: imagesize.Containerd, learned: keeps, there: shared(app, image("a", 10)), disk: [3]int64{60, 60, 60}, peak: [3]int64{60, 60, 60}},
		"the same upon another base: only the blob is":              {image: app, rt: imagesize.Containerd, learned: keeps, there: shared(app, image("cb", 5, 20)), disk: [3]int64{70, 70, 70}, peak: [3]int64{70, 70, 70}},
		"all of it is there":                                        {image: app, rt: imagesize.Containerd, learned: keeps, there: shared(app, app), disk: [3]int64{0, 0, 0}, peak: [3]int64{0, 0, 0}},
		"an unused image has its base":                              {image: app, rt: imagesize.Containerd, learned: keeps, there: likelyOnly, disk: [3]int64{60, 60, 90}, peak: [3]int64{60, 60, 90}},
		"a blob that is named twice is fetched once":                {image: image("aa", 10, 10), rt: imagesize.Containerd, learned: keeps, disk: [3]int64{50, 50, 50}, peak: [3]int64{50, 50, 50}},
		"an image hides that is smaller than its layers":            {image: app, rt: imagesize.Containerd, learned: keeps, there: imagesize.There{HiddenBytes: 6 * mib, HiddenTotalBytes: math.MaxInt64}, disk: [3]int64{90, 90, 90}, peak: [3]int64{90, 90, 90}},
		"an image hides that can have the base":                     {image: app, rt: imagesize.Containerd, learned: keeps, there: imagesize.There{HiddenBytes: 12 * mib, HiddenTotalBytes: 12 * mib}, disk: [3]int64{60, 90, 90}, peak: [3]int64{60, 90, 90}},
		"an image hides that can have the base, and the other blob": {image: image("ab", 10, 14), rt: imagesize.Containerd, learned: keeps, there: imagesize.There{HiddenBytes: 15 * mib, HiddenTotalBytes: 15 * mib}, disk: [3]int64{28, 72, 72}, peak: [3]int64{28, 72, 72}},
		"an image hides that can have all":                          {image: app, rt: imagesize.Containerd, learned: keeps, there: imagesize.There{HiddenBytes: 99 * mib, HiddenTotalBytes: math.MaxInt64}, disk: [3]int64{0, 90, 90}, peak: [3]int64{0, 90, 90}},
		"a pool whose disks hold less than images need":             {image: app, rt: imagesize.Containerd, learned: imagesize.Learned{Lazy: true}, disk: [3]int64{0, 90, 90}, peak: [3]int64{0, 90, 90}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := imagesize.Evidence{Manifest: test.image, Learned: test.learned}
			got := e.Pull(test.rt, test.declared, test.there)
			if diff := cmp.Diff(test.disk, inMiB(got.Disk)); diff != "" {
				t.Errorf("disk, MiB (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.peak, inMiB(got.Peak)); diff != "" {
				t.Errorf("peak, MiB (-want +got):\n%s", diff)
			}
			if got.Source != imagesize.SourceLayers || !got.Claimed {
				t.Errorf("source %s, claimed %v: want layers that only a registry told of", got.Source, got.Claimed)
			}
		})
	}
}

func TestALayerThatNobodyCouldReadIsWide(t *testing.T) {
	m := image("a", 10)
	m.Layers[0].Unpacked = imagesize.Unpacked{}
	got := imagesize.Evidence{Manifest: m, Learned: discards}.OnDisk(imagesize.Containerd, nil).Disk
	if got.Low > 10*mib || got.Likely < 20*mib || got.High < 60*mib {
		t.Errorf("10 MiB unread give %v..%v..%v bytes", got.Low, got.Likely, got.High)
	}
}

func TestSharedWith(t *testing.T) {
	tests := map[string]struct {
		of, with string
		chain    int
		blobs    []int
	}{
		"nothing in common":                      {"abc", "def", 0, nil},
		"a common base":                          {"abc", "abd", 2, []int{0, 1}},
		"the same layers in another order":       {"ab", "ba", 0, []int{0, 1}},
		"a longer image has all of it":           {"ab", "abc", 2, []int{0, 1}},
		"the same above another base":            {"abc", "xbc", 0, []int{1, 2}},
		"more layers than are ever compared":     {longName(200), longName(200), 128, places(128)},
		"an image without any layer has nothing": {"", "abc", 0, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			of, with := image(test.of, make([]int64, len(test.of))...), image(test.with, make([]int64, len(test.with))...)
			got := of.SharedWith(with)
			if got.Chain != test.chain || got.Blobs.Len() != len(test.blobs) {
				t.Errorf("%s shares %d snapshots and %d blobs with %s, want %d and %d", test.of, got.Chain, got.Blobs.Len(), test.with, test.chain, len(test.blobs))
			}
			for _, i := range test.blobs {
				if !got.Blobs.Has(i) {
					t.Errorf("the blob at %d is missing", i)
				}
			}
		})
	}
}

func longName(n int) string {
	name := make([]rune, n)
	for i := range name {
		name[i] = rune('A' + i%50)
	}
	return string(name)
}

func places(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// TestMoreThereNeverCostsMore holds for random images, what is there and runtimes:
// bounds are in order, never negative, and fall with whatever more is there.
func TestMoreThereNeverCostsMore(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 1))
	for range 5000 {
		m := randomImage(random)
		rt := []imagesize.Runtime{imagesize.Containerd, imagesize.CRIO, imagesize.Docker, imagesize.OtherRuntime}[random.IntN(4)]
		e := imagesize.Evidence{Manifest: m}
		if random.IntN(3) == 0 {
			e.Learned = []imagesize.Learned{keeps, discards, {Lazy: true}}[random.IntN(3)]
		}
		less := m.SharedWith(randomImage(random))
		more := less.Or(m.SharedWith(randomImage(random)))
		hidden := random.Int64N(100)
		few := imagesize.There{Sure: less, Likely: less, Possible: less, HiddenBytes: hidden, HiddenTotalBytes: hidden * 2}
		many := imagesize.There{Sure: more, Likely: more, Possible: more, HiddenBytes: 2 * hidden, HiddenTotalBytes: 5 * hidden}
		a, b := e.Pull(rt, nil, few), e.Pull(rt, nil, many)
		for what, bytes := range map[string]estimate.Bytes{"disk": a.Disk, "peak": a.Peak, "disk with more": b.Disk, "peak with more": b.Peak} {
			if bytes.Low < 0 || bytes.Low > bytes.Likely || bytes.Likely > bytes.High {
				t.Fatalf("%s is %+v", what, bytes)
			}
		}
		if b.Disk.Low > a.Disk.Low || b.Disk.Likely > a.Disk.Likely || b.Disk.High > a.Disk.High {
			t.Fatalf("more is there, and %+v becomes %+v", a.Disk, b.Disk)
		}
		if a.Peak.Low < a.Disk.Low || a.Peak.Likely < a.Disk.Likely || a.Peak.High < a.Disk.High {
			t.Fatalf("the peak %+v is below what stays, %+v", a.Peak, a.Disk)
		}
	}
}

func randomImage(random *rand.Rand) *imagesize.Manifest {
	m := &imagesize.Manifest{DocumentBytes: random.Int64N(3 * block)}
	chain := ""
	for range 1 + random.IntN(5) {
		letter := string(rune('a' + random.IntN(3)))
		chain += letter
		layer := imagesize.Layer{Digest: letter, ChainID: chain, CompressedBytes: int64(letter[0]) * 1000}
		switch random.IntN(8) {
		case 0:
		case 1:
			layer.CompressedBytes = math.MaxInt64 - random.Int64N(2*block)
		default:
			layer.Unpacked.DiskBytes = estimate.Between(random.Int64N(9999), random.Int64N(99999), random.Int64N(999999))
		}
		m.Layers = append(m.Layers, layer)
	}
	return m
}

func ExampleEvidence_Pull() {
	base, app := image("a", 10), image("ab", 10, 20)
	e := imagesize.Evidence{Manifest: app, Learned: keeps}
	fmt.Println(e.OnDisk(imagesize.Containerd, nil).Disk, "on an empty disk")
	fmt.Println(e.Pull(imagesize.Containerd, nil, shared(app, base)).Disk, "where the base is")
	// Output:
	// ~90Mi on an empty disk
	// ~60Mi where the base is
}
