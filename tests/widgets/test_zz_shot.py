from tests.widgets.conftest import *
from tests.widgets.test_save_bar import open_scan, mask_of
def test_shot(registered, viewer, qtbot, tmp_path):
    mask_of(viewer, open_scan(viewer, tmp_path/'scan.nii.gz'))
    from napari_lgmsnet.widgets.save_bar import SaveBar
    bar=SaveBar(viewer); viewer.window.add_dock_widget(bar,name='Save'); bar.button.click()
    qtbot.waitUntil(lambda: not bar.saver.busy); bar.resize(320,160); qtbot.wait(100); bar.grab().save('/tmp/shots/bar2.png'); bar.leave()
