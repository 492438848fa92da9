// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestStateIsReadAsItWasWritten(t *testing.T) {
	f := &stateFile{path: filepath.Join(t.TempDir(), "state.json")}
	want := State{
		Dir: "/lab", BootID: "boot", Owner: Process{Name: "owner", PID: 1, StartTicks: 2}, Detached: true, BinDir: "/bin",
		Host: "https://10.77.1.1:1234", RegistryAddress: "10.77.1.1:5000", Bridge: "headroom1",
		Processes: []Process{{Name: "etcd", PID: 3, StartTicks: 1 << 60}},
		Nodes: []NodeState{{
			Name: "node1", InternalIP: "10.77.1.2", Folder: "/folder", Namespace: "headroom1-node1", Interface: "headroom1n0",
			Cgroup: "headroom1-node1", Processes: []Process{{Name: "kubelet", PID: 4, StartTicks: 5}},
		}},
	}
	if err := f.update(func(s *State) { *s = want }); err != nil {
		t.Fatal(err)
	}
	got, err := readState(f.path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-written +read):\n%s", diff)
	}
}

func TestOnlyTheProcessThatWasWrittenDownIsEnded(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() { gone <- cmd.Wait() }()
	p, err := processOf("sleep", cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	other := p
	other.StartTicks--
	if err := end(time.Second, other); err != nil {
		t.Fatal(err)
	}
	if !p.Alive() || other.Alive() {
		t.Fatalf("a process that had the same ID before: %v, this one: %v, want it alone alive", other.Alive(), p.Alive())
	}
	if err := end(time.Second, p); err != nil {
		t.Fatal(err)
	}
	if err := <-gone; err == nil || p.Alive() {
		t.Errorf("it ended with %v, alive: %v", err, p.Alive())
	}
}

func TestStartTicks(t *testing.T) {
	tests := map[string]struct {
		stat string
		want uint64
		fail bool
	}{
		"a command with spaces and parentheses": {stat: "7 (a ) (b) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 1 2", want: 4242},
		"one that has ended, not yet collected": {stat: "7 (a) Z 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 1 2", fail: true},
		"a line that is cut off":                {stat: "7 (a) S 1 7", fail: true},
		"nothing":                               {fail: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseStartTicks(tt.stat)
			if got != tt.want || (err != nil) != tt.fail {
				t.Errorf("%d, %v, want %d, error: %v", got, err, tt.want, tt.fail)
			}
		})
	}
}

func TestMountsAndControlGroupsAreRead(t *testing.T) {
	//nolint:dupword // a kernel's table
	const mountinfo = `30 1 254:0 / / rw - ext4 /dev/vda rw
31 30 0:20 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
32 31 0:21 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
33 31 0:22 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
34 30 7:0 / /var/my\040lab/images rw shared:1 - ext4 /dev/loop0 rw
`
	if diff := cmp.Diff([]string{"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/unified"}, parseHierarchies(mountinfo)); diff != "" {
		t.Errorf("hierarchies (-want +got):\n%s", diff)
	}
	lines := strings.Split(strings.TrimSpace(mountinfo), "\n")
	if point, ok := mountPoint(lines[len(lines)-1]); !ok || point != "/var/my lab/images" {
		t.Errorf("mount point %q, %v", point, ok)
	}
	if _, ok := mountPoint("30 1"); ok {
		t.Error("half a line has a mount point")
	}
}

func TestNetworksDontMeet(t *testing.T) {
	network := func(s string) *net.IPNet {
		ip, n, err := net.ParseCIDR(s)
		if err != nil {
			t.Fatal(err)
		}
		return &net.IPNet{IP: ip, Mask: n.Mask}
	}
	tests := map[string]struct {
		used string
		want bool
	}{
		"the very same":            {used: "10.77.3.9/24", want: true},
		"a larger one around it":   {used: "10.0.0.1/8", want: true},
		"a single address of it":   {used: "10.77.3.1/32", want: true},
		"its neighbour":            {used: "10.77.4.1/24"},
		"one somewhere else":       {used: "192.168.3.1/24"},
		"an IPv6 network is apart": {used: "fd00::1/64"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := overlaps([]*net.IPNet{network(tt.used)}, 3); got != tt.want {
				t.Errorf("overlaps: %v, want %v", got, tt.want)
			}
		})
	}
}

func TestALabOfAnotherBootIsOnlyFiles(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "node1")
	if err := writeFiles(map[string][]byte{filepath.Join(folder, "images.ext4"): nil}); err != nil {
		t.Fatal(err)
	}
	self, err := processOf("self", os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	// Were this believed, the test would end itself.
	s := State{BootID: "another one", Processes: []Process{self}, Nodes: []NodeState{{Name: "node1", Folder: folder, Processes: []Process{self}}}}
	if err := s.undo(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(folder); err == nil {
		t.Errorf("%s is still there", folder)
	}
}
