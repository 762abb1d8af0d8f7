import sys
from db3kd.scaling import replicas as R
from benchmarks.scale import measure_scale
for k in (1,2):
    R._AT_ONCE=k
    f=measure_scale([1,4,16],rows_each=1600,fast_rows=30000)
    print(k,f.ideal,[(x.replicas,round(x.deciding/f.ideal/max(1,x.replicas),3),round(x.searching/f.ideal/max(1,x.replicas),3)) for x in f.figures],round(f.fast_in_process),round(f.fast_replica),round(f.fast_replica/f.fast_in_process,3),flush=True)
